using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static CookieXdp.Cookies.Forms.Ff1Permutations;
using static CookieXdp.Cookies.Forms.KeyCells;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// Eleven messages at once, in three groups that are a third of a round apart: while one group's outputs go into its halves, the other two keep
/// the AES units busy. The processor does not find that by itself, for its scheduler sees no further than a round ahead (eight messages in
/// step reached 0.69 of what AMD's units can do). Eleven and not twelve, because batches are powers of two: six times eleven are 66, six
/// times twelve 72. Sixteen registers hold eleven blocks, a key and what a turn needs.
/// </summary>
internal sealed unsafe class InterleavedForm<TAes> : Ff1Form
    where TAes : struct, IAesRounds
{
    private readonly ScalarForm<TAes> _scalar = new();

    internal override string Name => "interleaved";

    internal override void Encrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        if (count <= FewestForLanes)
        {
            _scalar.Encrypt(halves, keys, count, halfMask);
            return;
        }
        var turns = stackalloc Vector256<byte>[] { Twice(PutFirst), Twice(TakeFirst), Twice(PutSecond), Twice(TakeSecond) };
        Run<Plus>(halves, keys, count, turns, 0, 1, Vector256.Create(halfMask));
    }

    internal override void Decrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        if (count <= FewestForLanes)
        {
            _scalar.Decrypt(halves, keys, count, halfMask);
            return;
        }
        var turns = stackalloc Vector256<byte>[] { Twice(PutSecond), Twice(TakeSecond), Twice(PutFirst), Twice(TakeFirst) };
        Run<Minus>(halves, keys, count, turns, Ff1Key.Rounds - 1, -1, Vector256.Create(halfMask));
    }

    /// <summary>All messages, eleven by eleven. The second and third group lag behind, so they end one eleven while the first is at the next.</summary>
    /// <param name="s">The messages.</param>
    /// <param name="keys">The pairs' keys, and the single ones' (<see cref="KeyCells"/>).</param>
    /// <param name="count">How many messages; the last block's others are done with them.</param>
    /// <param name="turns">How outputs go into halves and these into blocks: two shuffles for the first round and two for the second; and so on.</param>
    /// <param name="round">The first round.</param>
    /// <param name="step">From a round to the next.</param>
    /// <param name="mask">Ones where a half has bits.</param>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Run<TStep>(Vector128<ulong>* s, Vector128<byte>** keys, int count, Vector256<byte>* turns, int round, int step, Vector256<ulong> mask)
        where TStep : struct, IStep
    {
        // What the lagging groups end before there is anything to end.
        var scratch = stackalloc Vector128<ulong>[Block];
        var before = scratch;
        var (a, b, c) = (default(Four), default(Four), default(Three));
        var (ka, kb, kc) = (new GroupKeys(keys[0], keys[0]), new GroupKeys(keys[0], keys[0]), new GroupKeys(keys[0], keys[0]));
        var singles = keys + Singles;
        for (; count > 0; count -= Block)
        {
            var constant = Ff1Key.ConstantsOf<TAes>() + round;
            ka = new GroupKeys(keys[0], keys[1]);
            Begin(ref a, ka, s, turns + 2, constant);
            Lap<TStep, Across>(ref a, ref b, ref c, ka, ref kb, ref kc, keys, singles, before, s, turns, turns + 2, mask, constant, step);
            for (var lap = 1; lap < Ff1Key.Rounds; lap++)
            {
                constant += step;
                Lap<TStep, Within>(ref a, ref b, ref c, ka, ref kb, ref kc, keys, singles, s, s, turns + 2 * (lap & 1), turns + 2 - 2 * (lap & 1), mask, constant, step);
            }
            before = s;
            s += Block;
            keys += Pairs;
            singles++;
        }
        Row(ref b, kb, 8); Row(ref c, kc, 4);
        Row(ref b, kb, 9); Row(ref c, kc, 5);
        End<TStep>(ref b, kb, before + 4, turns + 2, mask);
        Row(ref c, kc, 6);
        Row(ref c, kc, 7);
        Row(ref c, kc, 8);
        Row(ref c, kc, 9);
        End<TStep>(ref c, kc, before + 8, turns + 2, mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Lap<TStep, TEdge>(
        ref Four a, ref Four b, ref Three c, GroupKeys ka, ref GroupKeys kb, ref GroupKeys kc, Vector128<byte>** keys, Vector128<byte>** singles,
        Vector128<ulong>* before, Vector128<ulong>* s, Vector256<byte>* turn, Vector256<byte>* otherTurn, Vector256<ulong> mask, int constant, int step)
        where TStep : struct, IStep
    {
        Row(ref a, ka, 1); Row(ref b, kb, 8); Row(ref c, kc, 4);
        Row(ref a, ka, 2); Row(ref b, kb, 9); Row(ref c, kc, 5);
        Row(ref a, ka, 3);
        if (typeof(TEdge) == typeof(Across))
        {
            End<TStep>(ref b, kb, before + 4, otherTurn, mask);
            kb = new GroupKeys(keys[2], keys[3]);
            Begin(ref b, kb, s + 4, otherTurn, constant);
        }
        else
        {
            Turn<TStep>(ref b, kb, s + 4, otherTurn, mask, constant);
        }
        Row(ref c, kc, 6);
        Row(ref a, ka, 4); Row(ref b, kb, 1); Row(ref c, kc, 7);
        Row(ref a, ka, 5); Row(ref b, kb, 2); Row(ref c, kc, 8);
        Row(ref a, ka, 6); Row(ref b, kb, 3); Row(ref c, kc, 9);
        Row(ref a, ka, 7); Row(ref b, kb, 4);
        if (typeof(TEdge) == typeof(Across))
        {
            End<TStep>(ref c, kc, before + 8, otherTurn, mask);
            kc = new GroupKeys(keys[4], *singles);
            Begin(ref c, kc, s + 8, otherTurn, constant);
        }
        else
        {
            Turn<TStep>(ref c, kc, s + 8, otherTurn, mask, constant);
        }
        Row(ref a, ka, 8); Row(ref b, kb, 5); Row(ref c, kc, 1);
        Row(ref a, ka, 9); Row(ref b, kb, 6); Row(ref c, kc, 2);
        Turn<TStep>(ref a, ka, s, turn, mask, constant + step); Row(ref b, kb, 7); Row(ref c, kc, 3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(ref Four x, GroupKeys keys, int round)
    {
        var key = round - 1 + TAes.FirstKey;
        var first = keys.First[key];
        x.X0 = TAes.Round(x.X0, first);
        x.X1 = TAes.Round(x.X1, first);
        var second = keys.Second[key];
        x.X2 = TAes.Round(x.X2, second);
        x.X3 = TAes.Round(x.X3, second);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row(ref Three x, GroupKeys keys, int round)
    {
        var key = round - 1 + TAes.FirstKey;
        var first = keys.First[key];
        x.X0 = TAes.Round(x.X0, first);
        x.X1 = TAes.Round(x.X1, first);
        x.X2 = TAes.Round(x.X2, keys.Second[key]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(ref Four x, GroupKeys keys, Vector128<ulong>* s, Vector256<byte>* turn, int constant)
    {
        Begin(ref x.X0, ref x.X1, keys.First, s, turn, constant);
        Begin(ref x.X2, ref x.X3, keys.Second, s + 2, turn, constant);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(ref Three x, GroupKeys keys, Vector128<ulong>* s, Vector256<byte>* turn, int constant)
    {
        Begin(ref x.X0, ref x.X1, keys.First, s, turn, constant);
        x.X2 = Shuffle(s[2].AsByte(), turn[1].GetLower()) ^ keys.Second[constant];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(ref Vector128<byte> x0, ref Vector128<byte> x1, Vector128<byte>* key, Vector128<ulong>* s, Vector256<byte>* turn, int constant)
    {
        // Two loads, for one would have to wait until both halves' stores have left the store buffer.
        var blocks = Shuffle(Vector256.Create(s[0], s[1]).AsByte(), turn[1]) ^ Twice(key[constant]);
        x0 = blocks.GetLower();
        x1 = blocks.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void End<TStep>(ref Four x, GroupKeys keys, Vector128<ulong>* s, Vector256<byte>* turn, Vector256<ulong> mask)
        where TStep : struct, IStep
    {
        Turned<TStep>(x.X0, x.X1, keys.First, s, turn[0], mask);
        Turned<TStep>(x.X2, x.X3, keys.Second, s + 2, turn[0], mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void End<TStep>(ref Three x, GroupKeys keys, Vector128<ulong>* s, Vector256<byte>* turn, Vector256<ulong> mask)
        where TStep : struct, IStep
    {
        Turned<TStep>(x.X0, x.X1, keys.First, s, turn[0], mask);
        Turned<TStep>(x.X2, keys.Second, s + 2, turn[0].GetLower(), mask.GetLower());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn<TStep>(ref Four x, GroupKeys keys, Vector128<ulong>* s, Vector256<byte>* turn, Vector256<ulong> mask, int constant)
        where TStep : struct, IStep
    {
        Turn<TStep>(ref x.X0, ref x.X1, keys.First, s, turn, mask, constant);
        Turn<TStep>(ref x.X2, ref x.X3, keys.Second, s + 2, turn, mask, constant);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn<TStep>(ref Three x, GroupKeys keys, Vector128<ulong>* s, Vector256<byte>* turn, Vector256<ulong> mask, int constant)
        where TStep : struct, IStep
    {
        Turn<TStep>(ref x.X0, ref x.X1, keys.First, s, turn, mask, constant);
        var turned = Turned<TStep>(x.X2, keys.Second, s + 2, turn[0].GetLower(), mask.GetLower());
        x.X2 = Shuffle(turned.AsByte(), turn[1].GetLower()) ^ keys.Second[constant];
    }

    /// <summary>Takes a round's outputs into their halves, and these into the next round's blocks without the way through memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn<TStep>(
        ref Vector128<byte> x0, ref Vector128<byte> x1, Vector128<byte>* key, Vector128<ulong>* s, Vector256<byte>* turn, Vector256<ulong> mask, int constant)
        where TStep : struct, IStep
    {
        var turned = Turned<TStep>(x0, x1, key, s, turn[0], mask);
        var blocks = Shuffle(turned.AsByte(), turn[1]) ^ Twice(key[constant]);
        x0 = blocks.GetLower();
        x1 = blocks.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Turned<TStep>(Vector128<byte> x0, Vector128<byte> x1, Vector128<byte>* key, Vector128<ulong>* s, Vector256<byte> put, Vector256<ulong> mask)
        where TStep : struct, IStep
    {
        var outputs = Vector256.Create(TAes.LastRound(x0, key), TAes.LastRound(x1, key));
        var turned = TStep.Apply(*(Vector256<ulong>*)s, Shuffle(outputs, put).AsUInt64()) & mask;
        *(Vector256<ulong>*)s = turned;
        return turned;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Turned<TStep>(Vector128<byte> x, Vector128<byte>* key, Vector128<ulong>* s, Vector128<byte> put, Vector128<ulong> mask)
        where TStep : struct, IStep
    {
        var turned = TStep.Apply(*s, Shuffle(TAes.LastRound(x, key), put).AsUInt64()) & mask;
        *s = turned;
        return turned;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Twice(Vector128<byte> bytes) => Vector256.Create(bytes, bytes);

    /// <summary>What a round does with a half: adds to it, or takes away.</summary>
    private interface IStep
    {
        static abstract Vector128<ulong> Apply(Vector128<ulong> half, Vector128<ulong> keystream);

        static abstract Vector256<ulong> Apply(Vector256<ulong> half, Vector256<ulong> keystream);
    }

    private readonly struct Plus : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Apply(Vector128<ulong> half, Vector128<ulong> keystream) => half + keystream;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Apply(Vector256<ulong> half, Vector256<ulong> keystream) => half + keystream;
    }

    private readonly struct Minus : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<ulong> Apply(Vector128<ulong> half, Vector128<ulong> keystream) => half - keystream;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<ulong> Apply(Vector256<ulong> half, Vector256<ulong> keystream) => half - keystream;
    }

    /// <summary>A lap in which the lagging groups go over from one eleven to the next.</summary>
    private readonly struct Across;

    /// <summary>Any other lap.</summary>
    private readonly struct Within;

    private struct Four
    {
        internal Vector128<byte> X0;
        internal Vector128<byte> X1;
        internal Vector128<byte> X2;
        internal Vector128<byte> X3;
    }

    private struct Three
    {
        internal Vector128<byte> X0;
        internal Vector128<byte> X1;
        internal Vector128<byte> X2;
    }

    /// <summary>The keys of a group: of its first two messages, and of the others.</summary>
    private readonly struct GroupKeys(Vector128<byte>* first, Vector128<byte>* second)
    {
        internal readonly Vector128<byte>* First = first;
        internal readonly Vector128<byte>* Second = second;
    }
}
