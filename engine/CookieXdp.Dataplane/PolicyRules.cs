using System.Buffers.Binary;
using CookieXdp.Cookies;

namespace CookieXdp.Dataplane;

/// <summary>What policy thinks of a caller: the lists, and whether they are enforced.</summary>
public sealed class PolicyRules
{
    /// <summary>The finest IPv6 entry that a resolver network can be told by.</summary>
    public const int MaxResolverIpv6Length = 44;

    /// <summary>The finest IPv4 entry that a resolver network from EDNS Client Subnet can be told by.</summary>
    public const int MaxEcsIpv4Length = 24;

    private readonly PrefixList _bannedResolvers;
    private readonly PrefixList _bannedEcsNetworks;
    private readonly PrefixList _bannedClients;

    /// <summary>Rules from lists that have been read.</summary>
    /// <param name="observe">Whether everything genuine is accepted and verdicts are only counted.</param>
    /// <param name="bannedResolvers">Resolvers, IPv6 entries not finer than /44.</param>
    /// <param name="bannedEcsNetworks">The same for networks from EDNS Client Subnet: IPv4 entries not finer than /24.</param>
    /// <param name="bannedClients">Clients.</param>
    public PolicyRules(bool observe, PrefixList bannedResolvers, PrefixList bannedEcsNetworks, PrefixList bannedClients)
    {
        Observe = observe;
        _bannedResolvers = bannedResolvers;
        _bannedEcsNetworks = bannedEcsNetworks;
        _bannedClients = bannedClients;
    }

    /// <summary>Nobody is banned.</summary>
    public static PolicyRules AcceptAll { get; } = new(observe: false, PrefixList.Empty, PrefixList.Empty, PrefixList.Empty);

    /// <summary>Whether everything genuine is accepted and verdicts are only counted.</summary>
    public bool Observe { get; }

    /// <summary>
    /// The verdict on a new connection with a genuine cookie for a port of its service. The client's list is asked before
    /// the resolver's, so that the reason counted is the nearer one.
    /// </summary>
    /// <param name="cookie">What the cookie says.</param>
    /// <param name="client">The client's address, 16 bytes in network byte order.</param>
    /// <param name="service">The service asked for.</param>
    /// <param name="unixSeconds">The time now.</param>
    /// <returns>None: accept; else the reason to drop.</returns>
    internal DropReason Judge(in OpenedCookie cookie, ReadOnlySpan<byte> client, ServiceRules service, long unixSeconds)
    {
        if (cookie.AgeAt(unixSeconds) >= service.StaleFor)
            return DropReason.Expired;
        if (_bannedClients.Contains(BinaryPrimitives.ReadUInt128BigEndian(client)))
            return DropReason.BannedClient;
        if (cookie.Resolver.IsKnown && (cookie.Ecs ? _bannedEcsNetworks : _bannedResolvers).Contains(AddressOf(cookie.Resolver)))
            return DropReason.BannedResolver;
        return DropReason.None;
    }

    private static UInt128 AddressOf(ResolverNetwork resolver) =>
        resolver.IsIpv6 ? new UInt128(resolver.Ipv6High, 0) : PrefixList.FromIpv4(resolver.Ipv4);
}
