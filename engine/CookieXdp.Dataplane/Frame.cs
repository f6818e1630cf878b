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
    /// <summary>The first byte of the Ethernet header.</summary>
    public byte* Data;

    /// <summary>The caller's own name for the frame (a UMEM address); the path leaves it alone.</summary>
    public ulong Handle;

    /// <summary>Bytes from <see cref="Data"/> on.</summary>
    public int Length;

    /// <summary>Why it goes no further; <see cref="DropReason.None"/>: it is to be transmitted on the other side.</summary>
    public DropReason Drop;

    /// <summary>Offset of the IPv6 header, once parsed.</summary>
    internal ushort NetworkOffset;

    /// <summary>Offset of the TCP header, once parsed.</summary>
    internal ushort TransportOffset;
}
