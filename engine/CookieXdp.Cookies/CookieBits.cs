using System.Buffers.Binary;

namespace CookieXdp.Cookies;

/// <summary>
/// Where each field of cookie format 1 stands, in the clear and in the address. 80 bits of address:
/// epoch mod 4 (2) ‖ 78 bits of FF1 output; the 78 bits in the clear, most significant first:
/// check 18 (zero) ‖ family 1 ‖ network 41 ‖ tick 11 ‖ service 4 ‖ verified 1 ‖ ecs 1 ‖ reserved 1 (zero).
/// FF1 works on two halves of 39 bits, and so does all of this: left is the more significant one.
/// </summary>
internal static class CookieBits
{
    /// <summary>Bits of one half of the cipher's 78.</summary>
    internal const int HalfBits = 39;

    internal const ulong HalfMask = (1UL << HalfBits) - 1;

    // left: check 18 ‖ family 1 ‖ network's upper 20
    private const int CheckShift = 21;
    private const int FamilyShift = 20;
    private const ulong NetworkHighMask = (1UL << 20) - 1;

    // right: network's lower 21 ‖ tick 11 ‖ service 4 ‖ verified ‖ ecs ‖ reserved
    private const int NetworkLowBits = 21;
    private const int NetworkLowShift = 18;
    private const int TickShift = 7;
    private const int ServiceShift = 3;
    private const int VerifiedShift = 2;
    private const int EcsShift = 1;

    /// <summary>The two halves in the clear.</summary>
    internal static void Pack(in Cookie cookie, out ulong left, out ulong right)
    {
        var network = cookie.Resolver.Bits;
        left = (cookie.Resolver.IsIpv6 ? 1UL << FamilyShift : 0) | network >> NetworkLowBits;
        right = (network & ((1UL << NetworkLowBits) - 1)) << NetworkLowShift
            | (ulong)cookie.Tick << TickShift
            | (ulong)cookie.Service << ServiceShift
            | (cookie.Verified ? 1UL << VerifiedShift : 0)
            | (cookie.Ecs ? 1UL << EcsShift : 0);
    }

    /// <summary>
    /// Reads the two halves in the clear. False where check or reserved is not zero, the tick is past the day's end, or family
    /// 0's nine last bits are set: then it was not minted here, and <paramref name="cookie"/> means nothing.
    /// </summary>
    internal static bool TryUnpack(ulong left, ulong right, long epoch, out Cookie cookie)
    {
        var tick = (int)(right >> TickShift & 0x7FF);
        var network = (left & NetworkHighMask) << NetworkLowBits | right >> NetworkLowShift;
        var wellFormed = ResolverNetwork.TryFromBits((left >> FamilyShift & 1) != 0, network, out var resolver);
        cookie = new(resolver, epoch, tick, (int)(right >> ServiceShift & 0xF), (right >> VerifiedShift & 1) != 0, (right >> EcsShift & 1) != 0);
        return wellFormed & left >> CheckShift == 0 & (right & 1) == 0 & tick < CookieTime.TicksPerEpoch;
    }

    /// <summary>Writes the 80 low bits of an address: the epoch's two clear bits and the two enciphered halves.</summary>
    /// <param name="destination">The ten bytes behind the prefix, network byte order.</param>
    /// <param name="epoch">The epoch whose key enciphered them.</param>
    /// <param name="left">The more significant half.</param>
    /// <param name="right">The less significant half.</param>
    internal static void WriteAddress(Span<byte> destination, long epoch, ulong left, ulong right)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)((ulong)(epoch & 3) << 14 | left >> 25));
        BinaryPrimitives.WriteUInt64BigEndian(destination[2..], left << HalfBits | right);
    }

    /// <summary>Reads the 80 low bits of an address: the opposite of <see cref="WriteAddress"/>.</summary>
    internal static void ReadAddress(ReadOnlySpan<byte> source, out int epochMod4, out ulong left, out ulong right)
    {
        ulong high = BinaryPrimitives.ReadUInt16BigEndian(source);
        var low = BinaryPrimitives.ReadUInt64BigEndian(source[2..]);
        epochMod4 = (int)(high >> 14);
        left = (high & 0x3FFF) << 25 | low >> HalfBits;
        right = low & HalfMask;
    }
}
