namespace CookieXdp.Dataplane;

/// <summary>Which of the engine's two interfaces.</summary>
public enum Side : byte
{
    /// <summary>The interface facing the internet.</summary>
    Uplink,

    /// <summary>The interface facing the backends.</summary>
    Inside,
}

/// <summary>
/// One frame on its way through the packet path. It has one owner at a time: the path while <see cref="PacketPath.Process"/> runs,
/// its caller before and after.
/// </summary>
public unsafe struct Frame
{
    /// <summary>
    /// Bytes before <see cref="Data"/> that belong to the frame's owner, too: the path writes there where a frame leaves with more VLAN tags than
    /// it came with, and where an ICMPv6 error goes in front of the packet it quotes (40 + 8). AF_XDP leaves 256.
    /// </summary>
    public const int RequiredHeadroom = HeaderLayout.Ipv6Length + HeaderLayout.IcmpLength;

    /// <summary>The first byte of the Ethernet header; the path may move it by <see cref="RequiredHeadroom"/> bytes down, or up behind VLAN tags.</summary>
    public byte* Data;

    /// <summary>The caller's own name for the frame (a UMEM address); the path leaves it alone.</summary>
    public ulong Handle;

    /// <summary>Bytes from <see cref="Data"/> on. The path cuts off what stands behind the IPv6 packet, and may make an answer of less.</summary>
    public int Length;

    /// <summary>Why it goes no further; <see cref="DropReason.None"/>: it is to be transmitted on the side <see cref="Out"/>.</summary>
    public DropReason Drop;

    /// <summary>The side that it leaves by: the other one, or the one it came from where an answer was made of it.</summary>
    public Side Out;

    /// <summary>What it is, once parsed.</summary>
    internal FrameKind Kind;

    /// <summary>Offset of the IPv6 header, once parsed.</summary>
    internal ushort NetworkOffset;

    /// <summary>Offset of the TCP or ICMPv6 header, or of what a later fragment carries, once parsed.</summary>
    internal ushort TransportOffset;

    /// <summary>Offset of the fragment header, once parsed; 0 where the packet is whole.</summary>
    internal ushort FragmentOffset;

    /// <summary>Offset of the address whose cookie decides: the destination, or a neighbour solicitation's target.</summary>
    internal ushort CookieOffset;

    /// <summary>The IPv6 header.</summary>
    internal readonly byte* Ip => Data + NetworkOffset;

    /// <summary>Bytes of the IPv6 packet, its header included.</summary>
    internal readonly int PacketLength => Length - NetworkOffset;
}
