using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies;

/// <summary>
/// Between addresses and messages, and between messages and fields: four cookies at once where there is AVX2, else one at a time. No branch depends on
/// what a cookie holds. The layout is <see cref="CookieBits"/>'. Four cookies lie in vectors in the order 0, 2, 1, 3: so the two instructions
/// that separate pairs of numbers also join them again.
/// </summary>
internal static unsafe class CookiePacking
{
    private const int Four = 4;
    private const ulong HalfMask = CookieBits.HalfMask;
    private const ulong ResolverHighMask = (1UL << 21) - 1; // family and the network's upper 20 bits, of left
    private const ulong ResolverLowMask = (1UL << 21) - 1; // the network's lower 21 bits
    private const int ResolverLowShift = 18;
    private const ulong Ipv4ZeroMask = 0x1FF;
    private const int CheckShift = 21;
    private const int FamilyShift = 20;
    private const int TickShift = 7;
    private const ulong TickMask = 0x7FF;
    private const int LogTickSeconds = 6;

    /// <summary>Takes each address's 78 bits apart: left from its bytes 4–11, shifted by the seven bits that are right's, right from its last eight.</summary>
    internal static void TakeHalves(Vector128<byte>* addresses, int count, Vector128<ulong>* halves)
    {
        for (var i = 0; i < count; i++)
        {
            var numbers = Ff1Permutations.Shuffle(addresses[i], Vector128.Create((byte)11, 10, 9, 8, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8)).AsUInt64();
            var shifted = Avx2.IsSupported ? Avx2.ShiftRightLogicalVariable(numbers, Vector128.Create(7UL, 0UL)) : Vector128.Create(numbers[0] >> 7, numbers[1]);
            halves[i] = shifted & Vector128.Create(HalfMask);
        }
    }

    /// <summary>
    /// Reads the fields, and gathers everything that a genuine cookie has as zero: check, reserved, family 0's nine last bits, a tick past the
    /// day's end, a time in the future, an epoch too far back, another prefix.
    /// </summary>
    internal static void Judge(Vector128<ulong>* halves, Vector128<byte>* addresses, int count, CookieBatch.Slot* slots, in CookieBatch.Bounds bounds, OpenedCookie* cookies)
    {
        var i = 0;
        if (Avx2.IsSupported)
        {
            var starts = StartsOf(slots);
            for (; i + Four <= count; i += Four)
                JudgeFour(halves + i, addresses + i, starts, bounds, cookies + i);
        }
        for (; i < count; i++)
        {
            var head = BinaryPrimitives.ReverseEndianness(*(ulong*)(addresses + i));
            cookies[i] = JudgeOne(halves[i], (head >> 16) ^ bounds.PrefixBits, slots[head >> 14 & 3].EpochStart, bounds);
        }
    }

    /// <summary>Makes messages of orders, and the first 64 bits of each address but for the fourteen that the cipher gives.</summary>
    /// <param name="orders">The orders.</param>
    /// <param name="count">How many.</param>
    /// <param name="slots">The keys.</param>
    /// <param name="prefixBits">The prefix, 48 bits.</param>
    /// <param name="halves">Receives the messages.</param>
    /// <param name="heads">Receives the addresses' heads, for <see cref="WriteAddresses"/>.</param>
    /// <returns>Zero where every order's epoch has a key.</returns>
    internal static ulong Pack(MintOrder* orders, int count, CookieBatch.Slot* slots, ulong prefixBits, Vector128<ulong>* halves, ulong* heads)
    {
        var i = 0;
        ulong unusable = 0;
        if (Avx2.IsSupported)
        {
            var starts = StartsOf(slots);
            var wrong = Vector256<ulong>.Zero;
            for (; i + Four <= count; i += Four)
                wrong |= PackFour(orders + i, starts, prefixBits, halves + i, heads + i);
            var folded = wrong.GetLower() | wrong.GetUpper();
            unusable = folded[0] | folded[1];
        }
        for (; i < count; i++)
        {
            var order = orders[i];
            var epoch = order.MintedAt / CookieTime.EpochSeconds;
            var start = epoch * CookieTime.EpochSeconds;
            unusable |= slots[epoch & 3].EpochStart ^ start;
            var tick = (ulong)((order.MintedAt - start) / CookieTime.TickSeconds);
            halves[i] = Vector128.Create(order.Resolver >> 21, (order.Resolver & ResolverLowMask) << ResolverLowShift | tick << TickShift | (ulong)order.Service << 3 | (ulong)order.Marks << 1);
            heads[i] = prefixBits << 16 | (ulong)(epoch & 3) << 14;
        }
        return unusable;
    }

    /// <summary>Joins heads and enciphered messages to addresses.</summary>
    internal static void WriteAddresses(Vector128<ulong>* halves, ulong* heads, int count, Vector128<byte>* addresses)
    {
        var i = 0;
        if (Avx2.IsSupported)
        {
            for (; i + Four <= count; i += Four)
            {
                Separate((ulong*)(halves + i), out var left, out var right);
                var high = Swap(Vector256.Load(heads + i) | left >>> 25);
                var low = Swap(left << CookieBits.HalfBits | right);
                Join(high, low, (ulong*)(addresses + i));
            }
        }
        for (; i < count; i++)
        {
            var (left, right) = (halves[i].ToScalar(), halves[i].GetElement(1));
            var address = (ulong*)(addresses + i);
            address[0] = BinaryPrimitives.ReverseEndianness(heads[i] | left >> 25);
            address[1] = BinaryPrimitives.ReverseEndianness(left << CookieBits.HalfBits | right);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void JudgeFour(Vector128<ulong>* halves, Vector128<byte>* addresses, Vector256<float> starts, in CookieBatch.Bounds bounds, OpenedCookie* cookies)
    {
        Separate((ulong*)halves, out var left, out var right);
        Separate((ulong*)addresses, out var head, out _);
        head = Swap(head);
        var epochStart = Look(starts, head >>> 14);
        var tick = right >>> TickShift & Vector256.Create(TickMask);
        var mintedAt = epochStart + (tick << LogTickSeconds);
        var lowNetwork = right >>> ResolverLowShift;
        var isIpv4 = (left >>> FamilyShift & Vector256<ulong>.One) - Vector256<ulong>.One;
        var wrong = left >>> CheckShift | (right & Vector256<ulong>.One) | (lowNetwork & Vector256.Create(Ipv4ZeroMask) & isIpv4) | (head >>> 16 ^ Vector256.Create(bounds.PrefixBits));
        wrong |= ((Vector256.Create((ulong)CookieTime.TicksPerEpoch - 1) - tick) | (Vector256.Create(bounds.Latest) - mintedAt) | (epochStart - Vector256.Create(bounds.Earliest))) >>> 63;
        var genuine = Vector256.Equals(wrong, Vector256<ulong>.Zero) & Vector256.Create(1UL << OpenedCookie.GenuineShift);
        var resolver = (left & Vector256.Create(ResolverHighMask)) << 21 | lowNetwork;
        var rest = (mintedAt & Vector256.Create((ulong)uint.MaxValue))
            | (right << (OpenedCookie.ServiceShift - 3) & Vector256.Create(0xFUL << OpenedCookie.ServiceShift))
            | (right << (OpenedCookie.EcsShift - 1) & Vector256.Create(3UL << OpenedCookie.EcsShift))
            | genuine;
        Join(resolver, rest, (ulong*)cookies);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static OpenedCookie JudgeOne(Vector128<ulong> halves, ulong foreign, ulong epochStart, in CookieBatch.Bounds bounds)
    {
        var left = halves.ToScalar();
        var right = halves.GetElement(1);
        var tick = right >> TickShift & TickMask;
        var mintedAt = epochStart + (tick << LogTickSeconds);
        var isIpv4 = (left >> FamilyShift & 1) - 1; // all ones for family 0
        var wrong = left >> CheckShift | (right & 1) | (right >> ResolverLowShift & Ipv4ZeroMask & isIpv4) | foreign;
        // A difference's sign bit is set where its right side is the greater one; all of them are below 2^63.
        wrong |= ((CookieTime.TicksPerEpoch - 1 - tick) | (bounds.Latest - mintedAt) | (epochStart - bounds.Earliest)) >> 63;
        var genuine = ((wrong | (0 - wrong)) >> 63) ^ 1;
        return new((left & ResolverHighMask) << 21 | right >> ResolverLowShift, (uint)mintedAt, right >> 3 & 0xF, right >> 1 & 3, genuine);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> PackFour(MintOrder* orders, Vector256<float> starts, ulong prefixBits, Vector128<ulong>* halves, ulong* heads)
    {
        Separate((ulong*)orders, out var resolver, out var rest);
        var mintedAt = rest & Vector256.Create((ulong)uint.MaxValue);
        // Division by 86400 = 2^7 · 675, by a product: of 25 bits, 2^41 ÷ 675 rounded up is exact enough (675 · 2^25 < 2^41).
        const uint reciprocal = (uint)((1UL << 41) / 675 + 1);
        var epoch = Avx2.Multiply((mintedAt >>> 7).AsUInt32(), Vector256.Create((ulong)reciprocal).AsUInt32()) >>> 41;
        var start = Avx2.Multiply(epoch.AsUInt32(), Vector256.Create((ulong)CookieTime.EpochSeconds).AsUInt32());
        var tick = (mintedAt - start) >>> LogTickSeconds;
        var right = (resolver & Vector256.Create(ResolverLowMask)) << ResolverLowShift
            | tick << TickShift
            | (rest >>> (MintOrder.ServiceShift - 3) & Vector256.Create(0xFUL << 3))
            | (rest >>> (MintOrder.EcsShift - 1) & Vector256.Create(3UL << 1));
        Join(resolver >>> 21, right, (ulong*)halves);
        (Vector256.Create(prefixBits << 16) | (epoch & Vector256.Create(3UL)) << 14).Store(heads);
        return Look(starts, epoch) ^ start;
    }

    /// <summary>Four pairs of numbers: the first of each, and the second of each, in the order 0, 2, 1, 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Separate(ulong* pairs, out Vector256<ulong> first, out Vector256<ulong> second)
    {
        var (zeroOne, twoThree) = (Vector256.Load(pairs), Vector256.Load(pairs + 4));
        first = Avx2.UnpackLow(zeroOne, twoThree);
        second = Avx2.UnpackHigh(zeroOne, twoThree);
    }

    /// <summary>The opposite of <see cref="Separate"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Join(Vector256<ulong> first, Vector256<ulong> second, ulong* pairs)
    {
        Avx2.UnpackLow(first, second).Store(pairs);
        Avx2.UnpackHigh(first, second).Store(pairs + 4);
    }

    /// <summary>Between memory's order and the network's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Swap(Vector256<ulong> numbers) =>
        Avx2.Shuffle(numbers.AsByte(), Vector256.Create((byte)7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8)).AsUInt64();

    /// <summary>The four epochs' starts, for <see cref="Look"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> StartsOf(CookieBatch.Slot* slots)
    {
        var four = Vector128.Create(slots[0].EpochStart, slots[1].EpochStart, slots[2].EpochStart, slots[3].EpochStart).AsSingle();
        return Vector256.Create(four, four);
    }

    /// <summary>The start of each number's epoch, which its two low bits name.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Look(Vector256<float> starts, Vector256<ulong> epochs) =>
        Avx.PermuteVar(starts, epochs.AsInt32()).AsUInt64() & Vector256.Create((ulong)uint.MaxValue);
}
