namespace CookieXdp.Dataplane;

/// <summary>What the engine says for itself; each frame so made counts as transmitted, and here under its kind.</summary>
public enum ReplyKind : byte
{
    /// <summary>A TCP RST for a SYN whose genuine cookie has expired.</summary>
    Reset,

    /// <summary>ICMPv6 "administratively prohibited" for the same, where the configuration asks for it.</summary>
    Unreachable,

    /// <summary>ICMPv6 Packet Too Big: the other side's MTU is smaller than the packet.</summary>
    PacketTooBig,

    /// <summary>ICMPv6 Time Exceeded: the packet's hop limit ended at the edge.</summary>
    TimeExceeded,

    /// <summary>An answer to a ping of a genuine cookie.</summary>
    EchoReply,

    /// <summary>A neighbour advertisement for a genuine cookie of an on-link prefix.</summary>
    NeighbourAdvertisement,
}

/// <summary>The names of <see cref="ReplyKind"/> in metrics.</summary>
public static class ReplyKinds
{
    /// <summary>How many there are.</summary>
    public const int Count = (int)ReplyKind.NeighbourAdvertisement + 1;

    /// <summary>The kind's name as a metric's label: <c>timeExceeded</c>.</summary>
    public static string Name(ReplyKind kind)
    {
        var name = kind.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}

/// <summary>What a SYN to a genuine but expired cookie is answered with.</summary>
public enum ExpiredAnswer : byte
{
    /// <summary>Nothing.</summary>
    Drop,

    /// <summary>A TCP RST: a mail server tries its next host at once.</summary>
    Reset,

    /// <summary>ICMPv6 type 1, code 1 (administratively prohibited).</summary>
    Unreachable,
}
