namespace CookieXdp.Dataplane;

/// <summary>What the parser found a frame to be. All but the first are rare, and go to <see cref="SlowPath"/>.</summary>
internal enum FrameKind : byte
{
    /// <summary>A TCP segment, whole or the first fragment of one.</summary>
    Tcp,

    /// <summary>The same, but its hop limit ends here.</summary>
    HopLimitEnds,

    /// <summary>A fragment that is not the first: it has no ports.</summary>
    LaterFragment,

    /// <summary>An ICMPv6 message of type 1 to 4.</summary>
    IcmpError,

    /// <summary>An ICMPv6 echo request.</summary>
    EchoRequest,

    /// <summary>A neighbour solicitation that is formed as RFC 4861, section 7.1.1 wants it; its checksum is not verified yet.</summary>
    NeighbourSolicitation,
}
