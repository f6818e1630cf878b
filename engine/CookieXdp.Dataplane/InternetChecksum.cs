using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// The Internet checksum (RFC 1071), changed incrementally (RFC 1624, equation 3). All sums are of 16-bit words in the byte
/// order they lie in memory: the one's complement sum does not mind, as long as all parts are read alike.
/// </summary>
internal static unsafe class InternetChecksum
{
    /// <summary>The sum of an IPv6 address's eight words, not yet folded.</summary>
    internal static uint SumAddress(byte* address)
    {
        uint sum = 0;
        for (var i = 0; i < HeaderLayout.AddressLength; i += 2)
            sum += Unsafe.ReadUnaligned<ushort>(address + i);
        return sum;
    }

    /// <summary>Folds a sum of fewer than 65 536 words to 16 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ushort Fold(uint sum)
    {
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)(sum + (sum >> 16));
    }

    /// <summary>~m + m′ of equation 3, folded: what a rewrite of these words adds.</summary>
    /// <param name="oldSum">The folded sum of the words as they were.</param>
    /// <param name="newSum">The folded sum of the words as they become.</param>
    internal static ushort Delta(ushort oldSum, ushort newSum) => Fold((uint)(ushort)~oldSum + newSum);

    /// <summary>HC′ = ~(~HC + delta). The opposite rewrite has the delta's complement.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Apply(byte* checksum, ushort delta)
    {
        var sum = (uint)(ushort)~Unsafe.ReadUnaligned<ushort>(checksum) + delta;
        Unsafe.WriteUnaligned(checksum, (ushort)~Fold(sum));
    }
}
