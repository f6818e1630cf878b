using CookieXdp.AfXdp.Native;

namespace CookieXdp.AfXdp;

/// <summary>Wakes a thread that waits in a <see cref="SocketPoller"/> (an eventfd). Any thread may signal.</summary>
public sealed unsafe class WakeEvent : IDisposable
{
    private readonly Lock _closing = new();
    private int _fd;

    /// <summary>Makes one that is not signalled.</summary>
    /// <exception cref="XdpException">The process has no file descriptor left.</exception>
    public WakeEvent()
    {
        _fd = SystemCalls.EventFd();
        if (_fd < 0)
            throw XdpException.Of("eventfd", -_fd);
    }

    /// <summary>The file descriptor, readable while signalled.</summary>
    public int Fd => _fd;

    /// <summary>Wakes the waiting thread, now or when it next waits. Never blocks; does nothing after Dispose.</summary>
    public void Signal()
    {
        // The lock keeps a late signal from writing into a descriptor that was closed and given to somebody else.
        lock (_closing)
        {
            var one = 1UL;
            if (_fd >= 0)
                _ = SystemCalls.Write(_fd, &one, sizeof(ulong));
        }
    }

    /// <summary>Forgets the signals so far.</summary>
    public void Clear()
    {
        ulong count;
        _ = SystemCalls.Read(_fd, &count, sizeof(ulong));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_closing)
        {
            if (_fd >= 0)
                _ = SystemCalls.Close(_fd);
            _fd = -1;
        }
    }
}
