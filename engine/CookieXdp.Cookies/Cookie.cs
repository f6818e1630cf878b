namespace CookieXdp.Cookies;

/// <summary>What a genuine cookie says: which resolver asked, when, and for what.</summary>
/// <param name="Resolver">The network of the resolver that asked.</param>
/// <param name="Epoch">The UTC day it was minted in, counted from 1970-01-01.</param>
/// <param name="Tick">The 64 seconds within the epoch it was minted in, below <see cref="CookieTime.TicksPerEpoch"/>.</param>
/// <param name="Service">The service asked for, 0–15.</param>
/// <param name="Verified">Whether the query came by TCP or with a valid DNS cookie.</param>
/// <param name="Ecs">Whether the network came from EDNS Client Subnet.</param>
public readonly record struct Cookie(ResolverNetwork Resolver, long Epoch, int Tick, int Service, bool Verified, bool Ecs)
{
    /// <summary>The greatest service id.</summary>
    public const int MaxService = 15;

    /// <summary>The first second of the tick it was minted in, Unix seconds.</summary>
    public long MintedAt => CookieTime.StartOf(Epoch, Tick);

    /// <summary>Seconds since it was minted; less than zero (down to −128) where the minting clock runs ahead.</summary>
    public long AgeAt(long unixSeconds) => unixSeconds - MintedAt;
}
