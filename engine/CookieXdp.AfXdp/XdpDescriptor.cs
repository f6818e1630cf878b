using System.Runtime.InteropServices;

namespace CookieXdp.AfXdp;

/// <summary>One packet in an RX or TX ring (struct xdp_desc of linux/if_xdp.h).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct XdpDescriptor
{
    /// <summary>Where the packet's first byte (its Ethernet header) is, as an offset into the UMEM; not the start of its frame.</summary>
    public ulong Address;

    /// <summary>The packet's length in bytes, Ethernet header included.</summary>
    public uint Length;

    /// <summary>Flags of the kernel; zero without multi-buffer.</summary>
    public uint Options;
}
