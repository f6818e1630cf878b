using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace CookieXdp.Dataplane;

/// <summary>
/// Spreads addresses over the buckets of a small table, by secrets that are the table's own: whoever knew the hash could have all that it sends
/// fall into one bucket.
/// </summary>
internal readonly struct KeyedHash
{
    private readonly ulong _secret;
    private readonly ulong _multiplier;

    private KeyedHash(ulong secret, ulong multiplier)
    {
        _secret = secret;
        _multiplier = multiplier | 1;
    }

    /// <summary>With new secrets.</summary>
    internal static KeyedHash Create()
    {
        Span<ulong> secrets = stackalloc ulong[2];
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(secrets));
        return new(secrets[0], secrets[1]);
    }

    /// <summary>64 bits that depend on all of <paramref name="first"/> and <paramref name="second"/>.</summary>
    internal ulong Mix(ulong first, ulong second)
    {
        var high = Math.BigMul(first ^ _secret, second ^ _multiplier, out var low);
        high = Math.BigMul(high ^ _multiplier, low ^ _secret, out low);
        return high ^ low;
    }
}
