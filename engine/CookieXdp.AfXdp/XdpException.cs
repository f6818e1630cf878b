using CookieXdp.AfXdp.Native;

namespace CookieXdp.AfXdp;

/// <summary>Something about AF_XDP or BPF failed. The message says what, on which device, queue or path, why, and what would be right.</summary>
public sealed class XdpException : Exception
{
    /// <summary>A failure with no number from the kernel.</summary>
    public XdpException(string message) : base(message)
    {
    }

    /// <summary>A failure with the kernel's number.</summary>
    /// <param name="message">The whole message.</param>
    /// <param name="errno">The kernel's error number, positive.</param>
    public XdpException(string message, int errno) : base(message) => Errno = errno;

    /// <summary>The kernel's error number (errno.h), positive; 0 where there was none.</summary>
    public int Errno { get; }

    /// <summary>"what: errno in words. advice".</summary>
    internal static XdpException Of(string what, int errno, string advice = "") =>
        new(advice.Length == 0 ? $"{what}: {SystemCalls.Text(errno)}" : $"{what}: {SystemCalls.Text(errno)}. {advice}", errno);
}
