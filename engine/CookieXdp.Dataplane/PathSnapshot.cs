using System.Net.NetworkInformation;
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

/// <summary>The two hardware addresses that a frame leaves with.</summary>
public sealed class NextHop
{
    /// <summary>From the neighbour's address, null where it is not known (yet), and the sending interface's own.</summary>
    public NextHop(PhysicalAddress? destination, PhysicalAddress source)
    {
        ArgumentNullException.ThrowIfNull(source);
        IsResolved = destination is not null;
        (destination?.GetAddressBytes() ?? new byte[HeaderLayout.MacLength]).CopyTo(Macs, 0);
        source.GetAddressBytes().CopyTo(Macs, HeaderLayout.MacLength);
    }

    /// <summary>Whether the neighbour's hardware address is known.</summary>
    public bool IsResolved { get; }

    /// <summary>Destination and source, as they begin an Ethernet header.</summary>
    internal byte[] Macs { get; } = new byte[2 * HeaderLayout.MacLength];
}
