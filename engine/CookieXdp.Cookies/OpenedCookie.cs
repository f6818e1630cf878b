using System.Runtime.InteropServices;

namespace CookieXdp.Cookies;

/// <summary>
/// What a batch says of one address, in sixteen bytes: whether its cookie is genuine, and if so, which resolver asked, when, and for what.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct OpenedCookie
{
    /// <summary>Service, verified and ecs, as they stand in the right half of the clear.</summary>
    internal const ulong RestMask = 0x7E;

    /// <summary>How far they are shifted here.</summary>
    internal const int RestShift = 32;

    internal const int EcsShift = RestShift + 1;
    internal const int VerifiedShift = RestShift + 2;
    internal const int ServiceShift = RestShift + 3;
    internal const int GenuineShift = RestShift + 8;

    private readonly ulong _resolver;

    // Minted at (32 bits); a bit that means nothing; ecs, verified, service (4), as they stand in the clear; from bit 40 on genuine.
    private readonly ulong _rest;

    /// <summary>From the fields as they stand in the clear.</summary>
    /// <param name="resolver">Family and network.</param>
    /// <param name="rest">The other fields, at their places.</param>
    internal OpenedCookie(ulong resolver, ulong rest)
    {
        _resolver = resolver;
        _rest = rest;
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

    /// <summary>Service, verified and ecs as they stand in the clear.</summary>
    internal ulong Rest => _rest >> RestShift & RestMask;

    /// <summary>Seconds since it was minted; less than zero (down to −128) where the minting clock runs ahead.</summary>
    public long AgeAt(long unixSeconds) => unixSeconds - MintedAt;

    /// <summary>The same as a <see cref="Cookie"/>.</summary>
    public Cookie ToCookie() => new(Resolver, CookieTime.EpochOf(MintedAt), CookieTime.TickOf(MintedAt), Service, Verified, Ecs);
}
