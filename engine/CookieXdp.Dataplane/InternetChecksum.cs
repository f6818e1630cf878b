using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// The Internet checksum (RFC 1071), changed incrementally (RFC 1624, equation 3), or summed up in full where it has to be verified. All sums
/// are of 16-bit words in the byte order they lie in memory: the one's complement sum does not mind, as long as all parts are read alike.
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

    /// <summary>Whether the checksum of a whole packet's TCP segment or ICMPv6 message is right (RFC 8200, section 8.1).</summary>
    /// <param name="frame">The frame, parsed; not a fragment.</param>
    /// <param name="protocol">TCP or ICMPv6.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Holds(ref Frame frame, byte protocol) =>
        SumWithPseudoHeader(frame.Ip, frame.Data + frame.TransportOffset, frame.Length - frame.TransportOffset, protocol) == 0xFFFF;

    /// <summary>Writes the checksum of a message whose checksum field lies in <paramref name="checksum"/>.</summary>
    internal static void Write(byte* ip, byte* message, int length, byte protocol, byte* checksum)
    {
        Unsafe.WriteUnaligned<ushort>(checksum, 0);
        Unsafe.WriteUnaligned(checksum, (ushort)~SumWithPseudoHeader(ip, message, length, protocol));
    }

    private static ushort SumWithPseudoHeader(byte* ip, byte* message, int length, byte protocol)
    {
        var sum = SumAddress(ip + HeaderLayout.Ipv6SourceOffset) + SumAddress(ip + HeaderLayout.Ipv6DestinationOffset)
            + BinaryPrimitives.ReverseEndianness((ushort)length) + BinaryPrimitives.ReverseEndianness((ushort)protocol);
        return Fold((uint)Fold(sum) + SumBytes(message, length));
    }

    /// <summary>The folded sum of bytes, an odd one at the end taken with a zero behind it.</summary>
    private static ushort SumBytes(byte* at, int length)
    {
        // Four bytes at a time into eight: a packet is far too short to overflow them.
        ulong sum = 0;
        for (; length >= 4; length -= 4, at += 4)
            sum += Unsafe.ReadUnaligned<uint>(at);
        if (length >= 2)
        {
            sum += Unsafe.ReadUnaligned<ushort>(at);
            at += 2;
        }
        if ((length & 1) != 0)
        {
            ushort last = 0;
            *(byte*)&last = *at;
            sum += last;
        }
        sum = (sum & uint.MaxValue) + (sum >> 32);
        return Fold(Fold((uint)(sum >> 32)) + (uint)Fold((uint)sum));
    }
}
