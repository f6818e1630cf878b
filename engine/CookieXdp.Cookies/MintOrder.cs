using System.Runtime.InteropServices;

namespace CookieXdp.Cookies;

/// <summary>One of a batch of cookies to mint, in sixteen bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct MintOrder
{
    private readonly ulong _resolver;

    // As in OpenedCookie: minted at (32 bits), a bit of nothing, ecs, verified, service.
    private readonly ulong _rest;

    /// <summary>An order.</summary>
    /// <param name="resolver">The network of who asked.</param>
    /// <param name="unixSeconds">The time of which the tick is kept, before the year 2106.</param>
    /// <param name="service">0–15.</param>
    /// <param name="verified">Whether the query came by TCP or with a valid DNS cookie.</param>
    /// <param name="ecs">Whether the network came from EDNS Client Subnet.</param>
    public MintOrder(ResolverNetwork resolver, long unixSeconds, int service, bool verified, bool ecs)
    {
        if ((ulong)unixSeconds > uint.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(unixSeconds), unixSeconds, "a time from 1970 to 2106");
        if ((uint)service > Cookie.MaxService)
            throw new ArgumentOutOfRangeException(nameof(service), service, "a service from 0 to 15");
        _resolver = resolver.Value;
        _rest = (ulong)unixSeconds | (ulong)service << OpenedCookie.ServiceShift | (verified ? 1UL << OpenedCookie.VerifiedShift : 0) | (ecs ? 1UL << OpenedCookie.EcsShift : 0);
    }

    internal ulong Resolver => _resolver;

    internal uint MintedAt => (uint)_rest;

    /// <summary>Service, verified and ecs as they stand in the clear.</summary>
    internal ulong Rest => _rest >> OpenedCookie.RestShift & OpenedCookie.RestMask;
}
