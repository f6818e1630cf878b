using System.Buffers.Binary;
using System.Net.NetworkInformation;
using System.Runtime.CompilerServices;
using CookieXdp.Cookies;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane;

/// <summary>
/// All that a batch of frames is judged and sent by: keys, services, lists, next hops. Immutable: control makes a new one and swaps a
/// pointer, and a batch uses the one it began with.
/// </summary>
/// <param name="Prefixes">The protected prefixes.</param>
/// <param name="Policy">Lists and mode.</param>
/// <param name="Backends">Where the services' backends are; <see cref="ServiceRules.Backend"/> is an index of this.</param>
/// <param name="Gateway">Where replies leave to, on the uplink.</param>
public sealed record PathSnapshot(PrefixRules[] Prefixes, PolicyRules Policy, Backend[] Backends, NextHop Gateway)
{
    /// <summary>Seconds from the beginning of a flow table within which a flow that is not in it is rebuilt from its cookie.</summary>
    public long RebuildFor { get; init; }

    /// <summary>The interface facing the internet.</summary>
    public required SideRules Uplink { get; init; }

    /// <summary>The interface facing the backends.</summary>
    public required SideRules Inside { get; init; }

    /// <summary>Whether pings of genuine cookies are answered, those of knocking services never.</summary>
    public bool AnswersPings { get; init; }

    /// <summary>A backend of an address, or null.</summary>
    internal Backend? BackendAt(ulong high, ulong low)
    {
        foreach (var backend in Backends)
        {
            if (backend.Address.High == high && backend.Address.Low == low)
                return backend;
        }
        return null;
    }

    /// <summary>Whether an address is one that only this side of the edge has: in a protected prefix, or a backend's.</summary>
    /// <param name="address">16 bytes, network byte order.</param>
    internal unsafe bool IsOurs(byte* address)
    {
        foreach (var rules in Prefixes)
        {
            if (rules.Prefix.Contains(new ReadOnlySpan<byte>(address, HeaderLayout.AddressLength)))
                return true;
        }
        return BackendAt(Unsafe.ReadUnaligned<ulong>(address), Unsafe.ReadUnaligned<ulong>(address + 8)) is not null;
    }

    /// <summary>What is known of a side.</summary>
    internal SideRules this[Side side] => side == Side.Uplink ? Uplink : Inside;
}

/// <summary>A protected prefix: its keys and services.</summary>
public sealed class PrefixRules
{
    /// <summary>Prepares the rules of a prefix.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="keys">Its keys; null as long as no keyring has been read.</param>
    /// <param name="services">For each service id its rules, or null.</param>
    public PrefixRules(CookiePrefix prefix, PrefixKeys? keys, ServiceRules?[] services)
    {
        ArgumentNullException.ThrowIfNull(services);
        Prefix = prefix;
        Keys = keys;
        Services = new ServiceRules?[Cookie.MaxService + 1];
        services.CopyTo(Services, 0);
    }

    /// <summary>The prefix.</summary>
    public CookiePrefix Prefix { get; }

    /// <summary>Whether the prefix is on the uplink's link, not routed to the edge: then neighbours are told of its genuine cookies.</summary>
    public bool IsOnLink { get; init; }

    /// <summary>Its keys, or null where none are known.</summary>
    public PrefixKeys? Keys { get; }

    internal ServiceRules?[] Services { get; }
}

/// <summary>A service: what may be asked of it and where that goes.</summary>
/// <param name="Ports">The TCP ports that may be asked for.</param>
/// <param name="Backend">Index of its backend in the snapshot.</param>
/// <param name="FreshFor">Seconds that a cookie is fresh.</param>
/// <param name="StaleFor">Seconds after which it is expired.</param>
public sealed record ServiceRules(IReadOnlyList<int> Ports, int Backend, long FreshFor, long StaleFor)
{
    /// <summary>Whether nobody may learn that the service is there who has no right to it: the engine answers nothing for it.</summary>
    public bool IsKnocking { get; init; }

    /// <summary>What a SYN with an expired cookie is answered with; nothing where the service is a knocking one.</summary>
    public ExpiredAnswer WhenExpired { get; init; }

    private readonly ushort[] _ports = [.. Ports.Select(port => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)port))];

    /// <summary>Whether a port, in network byte order, may be asked for.</summary>
    internal bool Has(ushort port) => _ports.AsSpan().Contains(port);
}

/// <summary>A backend: its address and port, and the frame header that reaches it.</summary>
/// <param name="Address">Its address and port.</param>
/// <param name="NextHop">Where frames to it are sent.</param>
public sealed record Backend(BackendAddress Address, NextHop NextHop)
{
    /// <summary>Whether a flow leads to this backend's host, to whichever port.</summary>
    internal unsafe bool HasAddressOf(Flow* flow) => Address.High == flow->BackendHigh && Address.Low == flow->BackendLow;
}

/// <summary>The Ethernet header that a frame leaves with.</summary>
public sealed class NextHop
{
    /// <summary>From the neighbour's address, null where it is not known (yet), and the sending interface's own.</summary>
    /// <param name="destination">The neighbour's hardware address.</param>
    /// <param name="source">The interface's own.</param>
    /// <param name="vlanTags">VLAN ids of the tags, the outer one first, two at most; null for none.</param>
    public NextHop(PhysicalAddress? destination, PhysicalAddress source, IReadOnlyList<int>? vlanTags = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        vlanTags ??= [];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vlanTags.Count, HeaderLayout.MaxVlanTags, nameof(vlanTags));
        IsResolved = destination is not null;
        Header = new byte[HeaderLayout.EthernetLength + vlanTags.Count * HeaderLayout.VlanTagLength];
        (destination?.GetAddressBytes() ?? new byte[HeaderLayout.MacLength]).CopyTo(Header, 0);
        source.GetAddressBytes().CopyTo(Header, HeaderLayout.MacLength);
        var rest = Header.AsSpan(HeaderLayout.EtherTypeOffset);
        for (var i = 0; i < vlanTags.Count; i++, rest = rest[HeaderLayout.VlanTagLength..])
        {
            // The outer of two tags is the provider's (IEEE 802.1ad).
            BinaryPrimitives.WriteUInt16BigEndian(rest, i + 1 < vlanTags.Count ? HeaderLayout.EtherTypeServiceVlan : HeaderLayout.EtherTypeVlan);
            BinaryPrimitives.WriteUInt16BigEndian(rest[2..], (ushort)vlanTags[i]);
        }
        BinaryPrimitives.WriteUInt16BigEndian(rest, HeaderLayout.EtherTypeIpv6);
    }

    /// <summary>Whether the neighbour's hardware address is known.</summary>
    public bool IsResolved { get; }

    /// <summary>All of the header: destination, source, tags, type.</summary>
    internal byte[] Header { get; }
}
