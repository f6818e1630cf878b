using CookieXdp.AfXdp.Native;
using Microsoft.Win32.SafeHandles;

namespace CookieXdp.AfXdp;

/// <summary>What an XDP program says about a frame (enum xdp_action of linux/bpf.h).</summary>
public enum XdpAction
{
    /// <summary>The program failed; the frame is dropped.</summary>
    Aborted,

    /// <summary>Dropped.</summary>
    Drop,

    /// <summary>Handed to the kernel.</summary>
    Pass,

    /// <summary>Sent back out of the same device.</summary>
    Transmit,

    /// <summary>Handed to a socket or another device.</summary>
    Redirect,
}

/// <summary>A loaded BPF program. Belongs to its <see cref="BpfObject"/> and ends with it.</summary>
public sealed unsafe class BpfProgram : IDisposable
{
    internal BpfProgram(string name, SafeFileHandle handle)
    {
        Name = name;
        Handle = handle;
        BpfProgramInfo info = default;
        var length = (uint)sizeof(BpfProgramInfo);
        var error = LibBpf.ObjectInfo(handle, &info, &length);
        Id = error >= 0 ? info.Id : throw XdpException.Of($"BPF program {name}: its number", -error);
    }

    internal SafeFileHandle Handle { get; }

    /// <summary>Its name in the object.</summary>
    public string Name { get; }

    /// <summary>The number the kernel gave it, as `bpftool prog` and `ip link` show it.</summary>
    public uint Id { get; }

    /// <summary>Runs an XDP program over one frame, without any device (BPF_PROG_TEST_RUN).</summary>
    /// <param name="frame">The frame from its Ethernet header on, at least 14 bytes.</param>
    /// <param name="receiveQueue">The queue it is to have come from: one that exists on <paramref name="device"/>.</param>
    /// <param name="device">The device it is to have come from; the loopback of the network namespace where null.</param>
    /// <exception cref="XdpException">The kernel refuses the frame or the queue.</exception>
    public XdpAction TestRun(ReadOnlySpan<byte> frame, int receiveQueue = 0, Device? device = null)
    {
        const int loopback = 1;
        fixed (byte* data = frame)
        {
            var context = new XdpContext
            {
                DataEnd = (uint)frame.Length,
                IngressInterfaceIndex = (uint)(device?.Index ?? loopback),
                ReceiveQueueIndex = (uint)receiveQueue,
            };
            var options = new TestRunOptions
            {
                Size = (nuint)sizeof(TestRunOptions),
                DataIn = data,
                DataInLength = (uint)frame.Length,
                ContextIn = &context,
                ContextInLength = (uint)sizeof(XdpContext),
                Repeat = 1,
            };
            var error = LibBpf.ProgramTestRun(Handle, &options);
            return error >= 0 ? (XdpAction)options.Result : throw XdpException.Of($"BPF program {Name}: test run of {frame.Length} bytes", -error);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Handle.Dispose();
}
