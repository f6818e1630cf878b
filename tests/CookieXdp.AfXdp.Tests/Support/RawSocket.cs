using System.Buffers.Binary;
using System.Runtime.InteropServices;
using CookieXdp.AfXdp.Native;
using Tmds.Linux;

namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>A packet socket on a device: frames of the test's ethertype leave and arrive without AF_XDP having a part in it.</summary>
internal sealed unsafe class RawSocket : IDisposable
{
    internal const ushort EtherType = 0x88b5;               // local experimental, IEEE 802
    private const int IgnoreOutgoing = 23, QdiscBypass = 20, PacketLevel = 263, ReceiveBufferForce = 33;
    private readonly int _fd;

    [StructLayout(LayoutKind.Sequential)]
    private struct LinkAddress
    {
        internal ushort Family, Protocol;
        internal int Index;
        internal ushort HardwareType;
        internal byte PacketType, AddressLength;
        internal ulong Address;
    }

    /// <param name="device">The device.</param>
    /// <param name="queueOfCpu">Whether a frame goes to the queue of the sending CPU, and not to that of its hash.</param>
    internal RawSocket(Device device, bool queueOfCpu = false)
    {
        var protocol = BinaryPrimitives.ReverseEndianness(EtherType);
        _fd = SystemCalls.Socket(17, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, protocol);
        Assert.True(_fd >= 0, "a packet socket needs CAP_NET_RAW");
        Assert.Equal(0, SystemCalls.SetOption(_fd, PacketLevel, IgnoreOutgoing, 1));
        Assert.Equal(0, SystemCalls.SetOption(_fd, LibC.SOL_SOCKET, ReceiveBufferForce, 64 << 20));
        if (queueOfCpu)
            Assert.Equal(0, SystemCalls.SetOption(_fd, PacketLevel, QdiscBypass, 1));
        var address = new LinkAddress { Family = 17, Protocol = protocol, Index = device.Index };
        Assert.Equal(0, SystemCalls.Bind(_fd, &address, 20));
    }

    /// <summary>Sends a frame; false where the device dropped it at once.</summary>
    internal bool Send(ReadOnlySpan<byte> frame)
    {
        fixed (byte* data = frame)
        {
            long sent = LibC.send(_fd, data, (size_t)(ulong)frame.Length, LibC.MSG_DONTWAIT);
            if (sent < 0)
                Assert.Contains(LibC.errno, new[] { LibC.ENOBUFS, LibC.EAGAIN });
            return sent == frame.Length;
        }
    }

    /// <summary>Takes one frame; −1 where none came in the time.</summary>
    internal int Receive(Span<byte> frame, int timeoutMilliseconds = 0)
    {
        fixed (byte* data = frame)
        {
            if (timeoutMilliseconds > 0)
            {
                var entry = new PollEntry { Descriptor = _fd, Wanted = PollEntry.Readable };
                if (SystemCalls.Poll(&entry, 1, timeoutMilliseconds) <= 0)
                    return -1;
            }
            long length = LibC.recv(_fd, data, (size_t)(ulong)frame.Length, LibC.MSG_DONTWAIT);
            return (int)length;
        }
    }

    public void Dispose() => SystemCalls.Close(_fd);
}
