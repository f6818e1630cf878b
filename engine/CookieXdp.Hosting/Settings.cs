using System.Net;
using CookieXdp.Cookies;

namespace CookieXdp.Hosting;

/// <summary>The whole configuration file. Immutable; a reload reads a new one.</summary>
/// <param name="File">The path it was read from.</param>
/// <param name="Keyring">The keyring file.</param>
/// <param name="Prefixes">The prefixes with their services, at least one.</param>
/// <param name="Keeper">What the keeper needs; null where the file has no [keeper].</param>
/// <param name="Edge">What the engine needs; null where the file has no [edge].</param>
/// <param name="Policy">Lists and mode; defaults where the file has no [policy].</param>
/// <param name="Dns">What the DNS server needs; null where the file has no [dns].</param>
public sealed record Settings(
    string File,
    string Keyring,
    IReadOnlyList<PrefixSettings> Prefixes,
    KeeperSettings? Keeper,
    EdgeSettings? Edge,
    PolicySettings Policy,
    DnsSettings? Dns);

/// <summary>One protected prefix: a <c>[[prefix]]</c>.</summary>
/// <param name="Prefix">The /48.</param>
/// <param name="Services">Its services, ids unique.</param>
public sealed record PrefixSettings(CookiePrefix Prefix, IReadOnlyList<ServiceSettings> Services)
{
    /// <summary>Whether the prefix is on the uplink's link, not routed to the edge (<c>onLink</c>): then the engine answers neighbour solicitations for it.</summary>
    public bool OnLink { get; init; }

    /// <summary>The service of an id, or null where there is none.</summary>
    public ServiceSettings? ServiceOf(int id)
    {
        foreach (var service in Services)
        {
            if (service.Id == id)
                return service;
        }
        return null;
    }
}

/// <summary>One service of a prefix: a <c>[[prefix.service]]</c>.</summary>
/// <param name="Id">0–15, as in the cookie.</param>
/// <param name="Name">For logs and metrics.</param>
/// <param name="Ports">The TCP ports that may be asked for.</param>
/// <param name="Backend">Where connections go; null on a host that only answers DNS.</param>
/// <param name="FreshFor">Seconds that a cookie is fresh.</param>
/// <param name="StaleFor">Seconds after which it is expired.</param>
/// <param name="MintEvery">Seconds of a mint interval.</param>
public sealed record ServiceSettings(int Id, string Name, IReadOnlyList<int> Ports, IPEndPoint? Backend, long FreshFor, long StaleFor, int MintEvery)
{
    /// <summary>Whether only who asked the DNS may learn that the service is there (<c>knocking</c>): nothing else is ever answered.</summary>
    public bool Knocking { get; init; }

    /// <summary>What a SYN with an expired cookie is answered with (<c>expired</c>).</summary>
    public ExpiredReply Expired { get; init; } = ExpiredReply.Reset;
}

/// <summary>What a SYN with an expired cookie is answered with.</summary>
public enum ExpiredReply
{
    /// <summary>A TCP RST, so that a mail server tries its next host at once.</summary>
    Reset,

    /// <summary>ICMPv6 "administratively prohibited".</summary>
    Unreachable,

    /// <summary>Nothing.</summary>
    Drop,
}

/// <summary>The keeper: <c>[keeper]</c>.</summary>
/// <param name="Master">The master file, made where there is none.</param>
public sealed record KeeperSettings(string Master);

/// <summary>The engine: <c>[edge]</c>.</summary>
/// <param name="BpfFs">A mounted bpffs, where the attachment is pinned.</param>
/// <param name="Metrics">Where /metrics is served; null where it is not.</param>
/// <param name="Flows">The greatest number of flows.</param>
/// <param name="FlowFile">The file that holds the flows and outlives the engine, on tmpfs.</param>
/// <param name="RebuildFor">Seconds from the beginning of a new flow table within which lost connections are rebuilt from their cookies.</param>
/// <param name="Uplink">The interface facing the internet.</param>
/// <param name="Inside">The interface facing the backends.</param>
public sealed record EdgeSettings(string BpfFs, IPEndPoint? Metrics, int Flows, string FlowFile, long RebuildFor, InterfaceSettings Uplink, InterfaceSettings Inside)
{
    /// <summary>Whether pings of genuine cookies are answered (<c>ping = "answer"</c>); those of knocking services never are.</summary>
    public bool AnswersPings { get; init; } = true;
}

/// <summary>An interface of the engine: <c>[edge.uplink]</c> or <c>[edge.inside]</c>.</summary>
/// <param name="Interface">Its name.</param>
/// <param name="Gateway">The next hop of frames sent here; null: the kernel's route is asked.</param>
/// <param name="PassWhenDown">Whether frames pass to the kernel while no engine runs (<c>whenDown = "pass"</c>); uplink only.</param>
public sealed record InterfaceSettings(string Interface, IPAddress? Gateway, bool PassWhenDown)
{
    /// <summary>VLAN ids of the tags that frames leave with (<c>vlan</c>), the outer one first; mostly none.</summary>
    public IReadOnlyList<int> VlanTags { get; init; } = [];

    /// <summary>The source of ICMPv6 errors that the engine sends here (<c>address</c>); null: an address of this host's.</summary>
    public IPAddress? Address { get; init; }
}

/// <summary>The policy: <c>[policy]</c>.</summary>
/// <param name="Observe">Whether everything genuine is accepted and verdicts are only counted.</param>
/// <param name="BannedResolvers">A list of prefixes of resolvers; null where there is none.</param>
/// <param name="BannedClients">A list of prefixes of clients; null where there is none.</param>
public sealed record PolicySettings(bool Observe, string? BannedResolvers, string? BannedClients);

/// <summary>The DNS server: <c>[dns]</c>.</summary>
/// <param name="Listen">Addresses and ports that it answers at, UDP and TCP.</param>
/// <param name="Metrics">Where /metrics is served; null where it is not.</param>
/// <param name="Zones">Its zones, at least one.</param>
public sealed record DnsSettings(IReadOnlyList<IPEndPoint> Listen, IPEndPoint? Metrics, IReadOnlyList<ZoneSettings> Zones);

/// <summary>A zone: a <c>[[dns.zone]]</c>.</summary>
/// <param name="Name">Its apex, without the final dot, in lower case.</param>
/// <param name="File">Its master file.</param>
public sealed record ZoneSettings(string Name, string File);
