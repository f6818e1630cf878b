namespace CookieXdp.Dataplane;

/// <summary>Why a frame went no further. Every one is counted; the names are the metrics' labels (<see cref="DropReasons.Name"/>).</summary>
public enum DropReason : byte
{
    /// <summary>Not dropped.</summary>
    None,

    /// <summary>Its headers say more bytes than arrived.</summary>
    Truncated,

    /// <summary>Not an IPv6 frame, though the XDP program sent it here.</summary>
    NotIpv6,

    /// <summary>IPv6, but neither TCP nor anything the path handles.</summary>
    NotTcp,

    /// <summary>An extension header or a fragment.</summary>
    ExtensionHeader,

    /// <summary>A TCP header that cannot be: too short, or flags that no TCP sends together.</summary>
    BadTcpHeader,

    /// <summary>A source that nobody on the internet has: multicast, link-local, of ::/8, of a protected prefix, or a backend's.</summary>
    BadSource,

    /// <summary>Its hop limit ended here.</summary>
    HopLimit,

    /// <summary>There is no key yet to open cookies with.</summary>
    NoKeys,

    /// <summary>The destination was not minted here.</summary>
    FalseCookie,

    /// <summary>A genuine cookie for a service id that the configuration does not have.</summary>
    UnknownService,

    /// <summary>A genuine cookie, but not for this port.</summary>
    WrongPort,

    /// <summary>A genuine cookie, older than <c>staleFor</c>.</summary>
    Expired,

    /// <summary>A genuine cookie that was minted for a banned resolver.</summary>
    BannedResolver,

    /// <summary>A genuine cookie, but the client is banned.</summary>
    BannedClient,

    /// <summary>Not the start of a connection, and no flow is known: from a client with a genuine cookie, or from a backend.</summary>
    NoFlow,

    /// <summary>The flow table is full of established flows.</summary>
    FlowTableFull,

    /// <summary>The client's port is in use towards the same backend by another of its connections, and no other port was found.</summary>
    ClientPortInUse,

    /// <summary>The next hop's hardware address is not known (yet).</summary>
    NeighbourUnresolved,

    /// <summary>The transmit ring was full.</summary>
    TransmitRingFull,
}

/// <summary>The names of <see cref="DropReason"/> in metrics and logs.</summary>
public static class DropReasons
{
    /// <summary>How many there are, <see cref="DropReason.None"/> included.</summary>
    public const int Count = (int)DropReason.TransmitRingFull + 1;

    /// <summary>The reason's name as a metric's label: <c>falseCookie</c>.</summary>
    public static string Name(DropReason reason)
    {
        var name = reason.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }
}
