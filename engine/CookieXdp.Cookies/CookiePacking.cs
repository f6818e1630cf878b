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
    private const ulong CheckMask = HalfMask & ~((1UL << 21) - 1);
    private const int FamilyShift = 20;
    private const int TickShift = 7;
    private const ulong TickMask = 0x7FF;
    private const int LogTickSeconds = 6;

    // An address's first eight bytes as they lie in memory, read as a number: the epoch's two bits are byte 6's upper ones.
    private const int RawEpochShift = 8 * CookiePrefix.ByteLength + 6;
    private const ulong RawPrefixMask = (1UL << (8 * CookiePrefix.ByteLength)) - 1;

    /// <summary>Takes an address's 78 bits apart: left from its bytes 4–11, shifted by the seven bits that are right's, right from its last eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> TakeHalf(Vector128<byte> address)
    {
        var numbers = Ff1Permutations.Shuffle(address, Vector128.Create((byte)11, 10, 9, 8, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8)).AsUInt64();
        var shifted = Avx2.IsSupported ? Avx2.ShiftRightLogicalVariable(numbers, Vector128.Create(7UL, 0UL)) : Vector128.Create(numbers[0] >> 7, numbers[1]);
        return shifted & Vector128.Create(HalfMask);
    }

    /// <summary><see cref="TakeHalf"/> of each.</summary>
    internal static void TakeHalves(Vector128<byte>* addresses, int count, Vector128<ulong>* halves)
    {
        var i = 0;
        if (Avx2.IsSupported)
        {
            for (; i + 2 <= count; i += 2)
                TakeTwoHalves(addresses + i).Store((ulong*)(halves + i));
        }
        for (; i < count; i++)
            halves[i] = TakeHalf(addresses[i]);
    }

    /// <summary><see cref="TakeHalf"/> of two neighbours.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> TakeTwoHalves(Vector128<byte>* addresses)
    {
        var order = Vector128.Create((byte)11, 10, 9, 8, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8);
        var numbers = Avx2.Shuffle(Vector256.Load((byte*)addresses), Vector256.Create(order, order)).AsUInt64();
        return Avx2.ShiftRightLogicalVariable(numbers, Vector256.Create(7UL, 0, 7, 0)) & Vector256.Create(HalfMask);
    }

    /// <summary><see cref="EpochShift(Vector128{byte}*)"/> of an address's first 64 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int EpochShift(ulong head) => (int)(head >> 10) & 0x30;

    /// <summary>How many addresses name each epoch: sixteen bits for each, that of epoch mod 4 = 0 the lowest.</summary>
    internal static ulong CountEpochs(Vector128<byte>* addresses, int count)
    {
        var i = 0;
        ulong counts = 0;
        if (Avx2.IsSupported)
        {
            var sums = Vector256<ulong>.Zero;
            for (; i + Four <= count; i += Four)
            {
                Separate((ulong*)(addresses + i), out var head, out _);
                sums += Avx2.ShiftLeftLogicalVariable(Vector256<ulong>.One, head >>> (RawEpochShift - 4) & Vector256.Create(0x30UL));
            }
            counts = Vector256.Sum(sums);
        }
        for (; i < count; i++)
            counts += 1UL << EpochShift(addresses + i);
        return counts;
    }

    /// <summary>Sixteen times the epoch mod 4 that an address names: where its sixteen bits are in such counts.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int EpochShift(Vector128<byte>* address) => (((byte*)address)[CookiePrefix.ByteLength] & 0xC0) >> 2;

    /// <summary>Whether an address is of another prefix.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsForeign(Vector128<byte>* address, in CookieBatch.Bounds bounds) => ((*(ulong*)address ^ bounds.RawPrefix) & RawPrefixMask) != 0;

    /// <summary>
    /// Reads the fields, and gathers everything that a genuine cookie has as zero: check, reserved, family 0's nine last bits, a tick past the
    /// day's end, a time in the future, an epoch without a key, another prefix.
    /// </summary>
    /// <param name="halves">The messages.</param>
    /// <param name="places">Where each one is; null: in order.</param>
    /// <param name="addresses">The addresses that they come from.</param>
    /// <param name="count">How many.</param>
    /// <param name="slots">The keys.</param>
    /// <param name="bounds">What is believed.</param>
    /// <param name="cookies">Receives what they say.</param>
    internal static void Judge(
        Vector128<ulong>* halves, byte* places, Vector128<byte>* addresses, int count, CookieBatch.Slot* slots, in CookieBatch.Bounds bounds, OpenedCookie* cookies)
    {
        var i = 0;
        if (Avx2.IsSupported)
        {
            var starts = StartsOf(slots);
            for (; i + Four <= count; i += Four)
            {
                Separate(halves, places, i, out var left, out var right);
                JudgeFour(left, right, addresses + i, starts, bounds, cookies + i);
            }
        }
        for (; i < count; i++)
            cookies[i] = JudgeOne(halves[places is null ? i : places[i]], addresses + i, slots, bounds);
    }

    /// <summary>Makes messages of orders, and the first 64 bits of each address but for the fourteen that the cipher gives.</summary>
    /// <param name="orders">The orders.</param>
    /// <param name="count">How many.</param>
    /// <param name="slots">The keys.</param>
    /// <param name="prefixBits">The prefix, 48 bits.</param>
    /// <param name="halves">Receives the messages.</param>
    /// <param name="heads">Receives the addresses' heads, to be joined with the enciphered ones.</param>
    /// <param name="counts">Receives how many orders are of each epoch, as <see cref="CountEpochs"/> says it.</param>
    /// <returns>Zero where every order's epoch has a key.</returns>
    internal static ulong Pack(MintOrder* orders, int count, CookieBatch.Slot* slots, ulong prefixBits, Vector128<ulong>* halves, ulong* heads, out ulong counts)
    {
        var i = 0;
        ulong unusable = 0;
        counts = 0;
        if (Avx2.IsSupported)
        {
            var starts = StartsOf(slots);
            var wrong = Vector256<ulong>.Zero;
            var sums = Vector256<ulong>.Zero;
            for (; i + Four <= count; i += Four)
            {
                wrong |= PackFour(orders + i, starts, prefixBits, halves + i, heads + i, out var epochs);
                sums += Avx2.ShiftLeftLogicalVariable(Vector256<ulong>.One, epochs << 4);
            }
            unusable = Vector256.EqualsAll(wrong, Vector256<ulong>.Zero) ? 0UL : 1;
            counts = Vector256.Sum(sums);
        }
        for (; i < count; i++)
        {
            var order = orders[i];
            var epoch = order.MintedAt / CookieTime.EpochSeconds;
            var start = epoch * CookieTime.EpochSeconds;
            unusable |= slots[epoch & 3].EpochStart ^ start;
            var tick = (ulong)((order.MintedAt - start) / CookieTime.TickSeconds);
            halves[i] = Vector128.Create(order.Resolver >> 21, (order.Resolver & ResolverLowMask) << ResolverLowShift | tick << TickShift | order.Rest);
            heads[i] = prefixBits << 16 | (ulong)(epoch & 3) << 14;
            counts += 1UL << EpochShift(heads[i]);
        }
        return unusable;
    }

    /// <summary>Joins heads and enciphered messages to addresses.</summary>
    /// <param name="halves">The messages.</param>
    /// <param name="places">Where each one is; null: in order.</param>
    /// <param name="heads">The heads.</param>
    /// <param name="count">How many.</param>
    /// <param name="addresses">Receives the addresses.</param>
    internal static void WriteAddresses(Vector128<ulong>* halves, byte* places, ulong* heads, int count, Vector128<byte>* addresses)
    {
        var i = 0;
        if (Avx2.IsSupported)
        {
            for (; i + Four <= count; i += Four)
            {
                Separate(halves, places, i, out var left, out var right);
                WriteFour(left, right, heads + i, addresses + i);
            }
        }
        for (; i < count; i++)
            WriteOne(halves[places is null ? i : places[i]], heads[i], (ulong*)(addresses + i));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteFour(Vector256<ulong> left, Vector256<ulong> right, ulong* heads, Vector128<byte>* addresses)
    {
        var high = Swap(InOrder(Vector256.Load(heads)) | left >>> 25);
        var low = Swap(left << CookieBits.HalfBits | right);
        Join(high, low, (ulong*)addresses);
    }

    private static void WriteOne(Vector128<ulong> halves, ulong head, ulong* address)
    {
        var (left, right) = (halves.ToScalar(), halves.GetElement(1));
        address[0] = BinaryPrimitives.ReverseEndianness(head | left >> 25);
        address[1] = BinaryPrimitives.ReverseEndianness(left << CookieBits.HalfBits | right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void JudgeFour(Vector256<ulong> left, Vector256<ulong> right, Vector128<byte>* addresses, Vector256<float> starts, in CookieBatch.Bounds bounds, OpenedCookie* cookies)
    {
        Separate((ulong*)addresses, out var head, out _);
        var epochStart = Look(starts, head >>> RawEpochShift);
        var tick = right >>> TickShift & Vector256.Create(TickMask);
        var mintedAt = epochStart + (tick << LogTickSeconds);
        var lowNetwork = right >>> ResolverLowShift;
        // The family's bit as the sign chooses: nothing need be zero for 1, nine bits for 0.
        var zeros = Avx.BlendVariable(Vector256.Create(Ipv4ZeroMask).AsDouble(), Vector256<double>.Zero, (left << (63 - FamilyShift)).AsDouble()).AsUInt64();
        var wrong = (left & Vector256.Create(CheckMask)) | (right & Vector256<ulong>.One) | (lowNetwork & zeros) | ((head ^ Vector256.Create(bounds.RawPrefix)) & Vector256.Create(RawPrefixMask));
        var tooLate = (Vector256.Create((ulong)CookieTime.TicksPerEpoch - 1) - tick) | (Vector256.Create(bounds.Latest) - mintedAt);
        // The sign of a difference is set where its right side is the greater one; what is wrong has no mark, and what is too late loses it.
        var genuine = Avx2.AndNot(tooLate, Vector256.Equals(wrong, Vector256<ulong>.Zero)) >>> 63 << OpenedCookie.GenuineShift;
        var resolver = (left & Vector256.Create(ResolverHighMask)) << 21 | lowNetwork;
        var rest = mintedAt | (right & Vector256.Create(OpenedCookie.RestMask)) << OpenedCookie.RestShift | genuine;
        Join(resolver, rest, (ulong*)cookies);
    }

    private static OpenedCookie JudgeOne(Vector128<ulong> halves, Vector128<byte>* address, CookieBatch.Slot* slots, in CookieBatch.Bounds bounds)
    {
        var head = *(ulong*)address;
        var left = halves.ToScalar();
        var right = halves.GetElement(1);
        var tick = right >> TickShift & TickMask;
        var mintedAt = slots[head >> RawEpochShift & 3].EpochStart + (tick << LogTickSeconds);
        var isIpv4 = (left >> FamilyShift & 1) - 1; // all ones for family 0
        var wrong = (left & CheckMask) | (right & 1) | (right >> ResolverLowShift & Ipv4ZeroMask & isIpv4) | ((head ^ bounds.RawPrefix) & RawPrefixMask);
        wrong |= ((CookieTime.TicksPerEpoch - 1 - tick) | (bounds.Latest - mintedAt)) >> 63;
        var genuine = ((wrong | (0 - wrong)) >> 63) ^ 1;
        return new((left & ResolverHighMask) << 21 | right >> ResolverLowShift, mintedAt | (right & OpenedCookie.RestMask) << OpenedCookie.RestShift | genuine << OpenedCookie.GenuineShift);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> PackFour(MintOrder* orders, Vector256<float> starts, ulong prefixBits, Vector128<ulong>* halves, ulong* heads, out Vector256<ulong> epochMod4)
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
            | (rest >>> OpenedCookie.RestShift & Vector256.Create(OpenedCookie.RestMask));
        Join(resolver >>> 21, right, (ulong*)halves);
        epochMod4 = epoch & Vector256.Create(3UL);
        InOrder(Vector256.Create(prefixBits << 16) | epochMod4 << 14).Store(heads);
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

    /// <summary>The same of four messages: neighbours, or each at a place of its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Separate(Vector128<ulong>* halves, byte* places, int i, out Vector256<ulong> first, out Vector256<ulong> second)
    {
        if (places is null)
        {
            Separate((ulong*)(halves + i), out first, out second);
            return;
        }
        var zeroOne = Vector256.Create(halves[places[i]], halves[places[i + 1]]);
        var twoThree = Vector256.Create(halves[places[i + 2]], halves[places[i + 3]]);
        first = Avx2.UnpackLow(zeroOne, twoThree);
        second = Avx2.UnpackHigh(zeroOne, twoThree);
    }

    /// <summary>The opposite of <see cref="Separate(ulong*, out Vector256{ulong}, out Vector256{ulong})"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Join(Vector256<ulong> first, Vector256<ulong> second, ulong* pairs)
    {
        Avx2.UnpackLow(first, second).Store(pairs);
        Avx2.UnpackHigh(first, second).Store(pairs + 4);
    }

    /// <summary>Between the order 0, 1, 2, 3 and the order 0, 2, 1, 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> InOrder(Vector256<ulong> numbers) => Avx2.Permute4x64(numbers, 0b11_01_10_00);

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
