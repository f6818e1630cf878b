using System.Runtime.InteropServices;

namespace CookieXdp.Cookies;

/// <summary>
/// What a batch says of one address, in sixteen bytes: whether its cookie is genuine, and if so, which resolver asked, when, and for what.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct OpenedCookie
{
    internal const int ServiceShift = 32;
    internal const int EcsShift = 40;
    internal const int VerifiedShift = 41;
    internal const int GenuineShift = 42;

    private readonly ulong _resolver;

    // Made with shifts alone, and stored at once: minted at (32 bits), service (8), ecs, verified, genuine.
    private readonly ulong _rest;

    /// <summary>From the fields as they stand in the clear.</summary>
    /// <param name="resolver">Family and network.</param>
    /// <param name="mintedAt">Unix seconds, 32 bits.</param>
    /// <param name="service">Four bits.</param>
    /// <param name="verifiedAndEcs">Two bits, ecs the lower.</param>
    /// <param name="genuine">One bit.</param>
    internal OpenedCookie(ulong resolver, ulong mintedAt, ulong service, ulong verifiedAndEcs, ulong genuine)
    {
        _resolver = resolver;
        _rest = mintedAt | service << ServiceShift | verifiedAndEcs << EcsShift | genuine << GenuineShift;
    }

    /// <summary>Whether the address was minted with one of the keys, and not more than 128 s in the future. If not, nothing else here means anything.</summary>
    public bool IsGenuine => (_rest >> GenuineShift & 1) != 0;

    /// <summary>The network of the resolver that asked.</summary>
    public ResolverNetwork Resolver => ResolverNetwork.FromValue(_resolver);

    /// <summary>The first second of the tick it was minted in, Unix seconds.</summary>
    public long MintedAt => (uint)_rest;

    /// <summary>The service asked for, 0–15.</summary>
    public int Service => (int)(_rest >> ServiceShift & 0xF);

    /// <summary>Whether the query came by TCP or with a valid DNS cookie.</summary>
    public bool Verified => (_rest >> VerifiedShift & 1) != 0;

    /// <summary>Whether the network came from EDNS Client Subnet.</summary>
    public bool Ecs => (_rest >> EcsShift & 1) != 0;

    /// <summary>Seconds since it was minted; less than zero (down to −128) where the minting clock runs ahead.</summary>
    public long AgeAt(long unixSeconds) => unixSeconds - MintedAt;

    /// <summary>The same as a <see cref="Cookie"/>.</summary>
    public Cookie ToCookie() => new(Resolver, CookieTime.EpochOf(MintedAt), CookieTime.TickOf(MintedAt), Service, Verified, Ecs);
}
