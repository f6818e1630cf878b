using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// A way to do FF1 (NIST SP 800-38G, algorithms 7 and 8) over bits on many messages, each two neighbours under a key of their own. A message is two
/// halves, the more significant one in element 0, and is changed in place: even rounds change element 0 by the other, odd rounds
/// element 1, so that after ten rounds each is where it belongs.
/// </summary>
internal abstract unsafe class Ff1Form
{
    /// <summary>Messages that a form may take at once; the arrays given to it have room for the next multiple of so many.</summary>
    internal const int Lanes = 8;

    /// <summary>Up to so many messages are quicker one after the other.</summary>
    private protected const int FewestForLanes = 2;

    /// <summary>How a test, a benchmark or the environment names it.</summary>
    internal abstract string Name { get; }

    /// <summary>Enciphers.</summary>
    /// <param name="halves">The messages; those behind <paramref name="count"/> up to the next multiple of <see cref="Lanes"/> may be overwritten.</param>
    /// <param name="pairKeys">For messages 0 and 1, 2 and 3, … the <see cref="Ff1Key.Pointer"/> of both; with the same room.</param>
    /// <param name="count">How many messages, from 1.</param>
    /// <param name="halfMask">Ones where a half has bits; one for all, since all have one length.</param>
    internal abstract void Encrypt(Vector128<ulong>* halves, Vector128<byte>** pairKeys, int count, ulong halfMask);

    /// <summary>Deciphers; as <see cref="Encrypt"/>.</summary>
    /// <inheritdoc cref="Encrypt"/>
    internal abstract void Decrypt(Vector128<ulong>* halves, Vector128<byte>** pairKeys, int count, ulong halfMask);

    /// <summary>Fills the lanes behind the last message with messages that do no harm.</summary>
    private protected static int Pad(Vector128<ulong>* halves, Vector128<byte>** pairKeys, int count)
    {
        var padded = (count + Lanes - 1) & -Lanes;
        for (var i = count; i < padded; i++)
            halves[i] = default;
        for (var pair = (count + 1) / 2; pair < padded / 2; pair++)
            pairKeys[pair] = pairKeys[0];
        return padded;
    }
}
