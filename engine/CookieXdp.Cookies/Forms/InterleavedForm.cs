using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static CookieXdp.Cookies.Forms.Ff1Permutations;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// Sixteen messages side by side, as two groups of eight whose rounds alternate: while one group's outputs go into its halves, the AES units
/// work on the other. (One group alone reached 0.65 of what the units can do, two 0.86; a key loaded for each lane instead of each pair
/// 0.5: the loads were the limit.) The lanes stand written out, for blocks in an array would live in memory.
/// </summary>
internal sealed unsafe class InterleavedForm<TAes> : Ff1Form
    where TAes : struct, IAesRounds
{
    private const int Group = 8;

    private readonly ScalarForm<TAes> _scalar = new();

    internal override string Name => "interleaved";

    internal override void Encrypt(Vector128<ulong>* halves, Vector128<byte>** pairKeys, int count, ulong halfMask)
    {
        if (count <= FewestForLanes)
        {
            _scalar.Encrypt(halves, pairKeys, count, halfMask);
            return;
        }
        var mask = Vector128.Create(halfMask);
        for (var left = Pad(halves, pairKeys, count); left > 0; left -= 2 * Group, halves += 2 * Group, pairKeys += Group)
        {
            for (var round = 0; round < Ff1Key.Rounds; round += 2)
            {
                Round<Plus>(halves, pairKeys, round, TakeSecond, PutFirst, mask);
                if (left > Group)
                    Round<Plus>(halves + Group, pairKeys + Group / 2, round, TakeSecond, PutFirst, mask);
                Round<Plus>(halves, pairKeys, round + 1, TakeFirst, PutSecond, mask);
                if (left > Group)
                    Round<Plus>(halves + Group, pairKeys + Group / 2, round + 1, TakeFirst, PutSecond, mask);
            }
        }
    }

    internal override void Decrypt(Vector128<ulong>* halves, Vector128<byte>** pairKeys, int count, ulong halfMask)
    {
        if (count <= FewestForLanes)
        {
            _scalar.Decrypt(halves, pairKeys, count, halfMask);
            return;
        }
        var mask = Vector128.Create(halfMask);
        for (var left = Pad(halves, pairKeys, count); left > 0; left -= 2 * Group, halves += 2 * Group, pairKeys += Group)
        {
            for (var round = Ff1Key.Rounds - 2; round >= 0; round -= 2)
            {
                Round<Minus>(halves, pairKeys, round + 1, TakeFirst, PutSecond, mask);
                if (left > Group)
                    Round<Minus>(halves + Group, pairKeys + Group / 2, round + 1, TakeFirst, PutSecond, mask);
                Round<Minus>(halves, pairKeys, round, TakeSecond, PutFirst, mask);
                if (left > Group)
                    Round<Minus>(halves + Group, pairKeys + Group / 2, round, TakeSecond, PutFirst, mask);
            }
        }
    }

    /// <summary>One round of eight messages: each pair's key is loaded once for both.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round<TStep>(Vector128<ulong>* s, Vector128<byte>** pairKeys, int round, Vector128<byte> take, Vector128<byte> put, Vector128<ulong> mask)
        where TStep : struct, IStep
    {
        var k0 = pairKeys[0];
        var k1 = pairKeys[1];
        var k2 = pairKeys[2];
        var k3 = pairKeys[3];
        var constant = Ff1Key.ConstantsOf<TAes>() + round;
        var (c0, c1, c2, c3) = (k0[constant], k1[constant], k2[constant], k3[constant]);
        var x0 = Shuffle(s[0].AsByte(), take) ^ c0;
        var x1 = Shuffle(s[1].AsByte(), take) ^ c0;
        var x2 = Shuffle(s[2].AsByte(), take) ^ c1;
        var x3 = Shuffle(s[3].AsByte(), take) ^ c1;
        var x4 = Shuffle(s[4].AsByte(), take) ^ c2;
        var x5 = Shuffle(s[5].AsByte(), take) ^ c2;
        var x6 = Shuffle(s[6].AsByte(), take) ^ c3;
        var x7 = Shuffle(s[7].AsByte(), take) ^ c3;
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 1);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 2);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 3);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 4);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 5);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 6);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 7);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 8);
        Step(ref x0, ref x1, ref x2, ref x3, ref x4, ref x5, ref x6, ref x7, k0, k1, k2, k3, 9);
        Turn<TStep>(s + 0, TAes.LastRound(x0, k0), put, mask);
        Turn<TStep>(s + 1, TAes.LastRound(x1, k0), put, mask);
        Turn<TStep>(s + 2, TAes.LastRound(x2, k1), put, mask);
        Turn<TStep>(s + 3, TAes.LastRound(x3, k1), put, mask);
        Turn<TStep>(s + 4, TAes.LastRound(x4, k2), put, mask);
        Turn<TStep>(s + 5, TAes.LastRound(x5, k2), put, mask);
        Turn<TStep>(s + 6, TAes.LastRound(x6, k3), put, mask);
        Turn<TStep>(s + 7, TAes.LastRound(x7, k3), put, mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        ref Vector128<byte> x0, ref Vector128<byte> x1, ref Vector128<byte> x2, ref Vector128<byte> x3, ref Vector128<byte> x4, ref Vector128<byte> x5, ref Vector128<byte> x6, ref Vector128<byte> x7,
        Vector128<byte>* k0, Vector128<byte>* k1, Vector128<byte>* k2, Vector128<byte>* k3, int round)
    {
        var key = round - 1 + TAes.FirstKey;
        var (r0, r1, r2, r3) = (k0[key], k1[key], k2[key], k3[key]);
        x0 = TAes.Round(x0, r0);
        x1 = TAes.Round(x1, r0);
        x2 = TAes.Round(x2, r1);
        x3 = TAes.Round(x3, r1);
        x4 = TAes.Round(x4, r2);
        x5 = TAes.Round(x5, r2);
        x6 = TAes.Round(x6, r3);
        x7 = TAes.Round(x7, r3);
    }

    /// <summary>Takes a round's output into its half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn<TStep>(Vector128<ulong>* state, Vector128<byte> output, Vector128<byte> put, Vector128<ulong> mask)
        where TStep : struct, IStep => *state = TStep.Apply(*state, Shuffle(output, put).AsUInt64()) & mask;

    /// <summary>What a round does with a half: adds to it, or takes away.</summary>
    private interface IStep
    {
        static abstract Vector128<ulong> Apply(Vector128<ulong> half, Vector128<ulong> keystream);
    }

    private readonly struct Plus : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Apply(Vector128<ulong> half, Vector128<ulong> keystream) => half + keystream;
    }

    private readonly struct Minus : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Apply(Vector128<ulong> half, Vector128<ulong> keystream) => half - keystream;
    }
}
