using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Bench;

/// <summary>
/// What the processor's AES units can do at best: the hundred AES instructions that a cookie takes, with every operand in a register and
/// nothing else to do. How many independent chains bring out the most differs between processors, so several numbers are tried.
/// </summary>
internal static class AesLimit
{
    /// <summary>The numbers of chains that are tried.</summary>
    internal static readonly int[] Chains = [8, 12, 16];

    /// <summary>AES instructions that FF1 takes for a cookie: ten rounds of ten.</summary>
    private const int PerCookie = 100;

    /// <summary>How often the loops' bodies are written out.</summary>
    private const int RoundsATurn = 2;

    private static Vector128<byte> _sink;

    /// <summary>Nanoseconds a cookie, once for each of <see cref="Chains"/>.</summary>
    /// <param name="cookies">How many cookies' instructions to time.</param>
    internal static double[] Measure(int cookies) => X86Aes.IsSupported
        ? Measure<X86Aes>(cookies)
        : ArmAes.IsSupported ? Measure<ArmAes>(cookies) : throw new PlatformNotSupportedException("this processor has no AES instructions, so there is no limit to measure against");

    private static double[] Measure<TAes>(int cookies)
        where TAes : struct, IAesRounds =>
        [.. Chains.Select(chains =>
        {
            var turns = cookies / chains;
            var begin = Stopwatch.GetTimestamp();
            switch (chains)
            {
                case 8:
                    Eight<TAes>(turns);
                    break;
                case 12:
                    Twelve<TAes>(turns);
                    break;
                default:
                    Sixteen<TAes>(turns);
                    break;
            }
            return Stopwatch.GetElapsedTime(begin).TotalNanoseconds / (turns * chains);
        })];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Eight<TAes>(int turns)
        where TAes : struct, IAesRounds
    {
        var (x0, x1, x2, x3, x4, x5, x6, x7) = (Start(0), Start(1), Start(2), Start(3), Start(4), Start(5), Start(6), Start(7));
        for (var i = 0; i < turns * PerCookie; i += RoundsATurn)
        {
            Round<TAes>(ref x0, ref x1, ref x2, ref x3);
            Round<TAes>(ref x4, ref x5, ref x6, ref x7);
            Round<TAes>(ref x0, ref x1, ref x2, ref x3);
            Round<TAes>(ref x4, ref x5, ref x6, ref x7);
        }
        _sink = x0 ^ x1 ^ x2 ^ x3 ^ x4 ^ x5 ^ x6 ^ x7;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Twelve<TAes>(int turns)
        where TAes : struct, IAesRounds
    {
        var (x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11) = (Start(0), Start(1), Start(2), Start(3), Start(4), Start(5), Start(6), Start(7), Start(8), Start(9), Start(10), Start(11));
        for (var i = 0; i < turns * PerCookie; i += RoundsATurn)
        {
            Round<TAes>(ref x0, ref x1, ref x2, ref x3);
            Round<TAes>(ref x4, ref x5, ref x6, ref x7);
            Round<TAes>(ref x8, ref x9, ref x10, ref x11);
            Round<TAes>(ref x0, ref x1, ref x2, ref x3);
            Round<TAes>(ref x4, ref x5, ref x6, ref x7);
            Round<TAes>(ref x8, ref x9, ref x10, ref x11);
        }
        _sink = x0 ^ x1 ^ x2 ^ x3 ^ x4 ^ x5 ^ x6 ^ x7 ^ x8 ^ x9 ^ x10 ^ x11;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Sixteen<TAes>(int turns)
        where TAes : struct, IAesRounds
    {
        var (x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15) = (Start(0), Start(1), Start(2), Start(3), Start(4), Start(5), Start(6), Start(7), Start(8), Start(9), Start(10), Start(11), Start(12), Start(13), Start(14), Start(15));
        for (var i = 0; i < turns * PerCookie; i += RoundsATurn)
        {
            Round<TAes>(ref x0, ref x1, ref x2, ref x3);
            Round<TAes>(ref x4, ref x5, ref x6, ref x7);
            Round<TAes>(ref x8, ref x9, ref x10, ref x11);
            Round<TAes>(ref x12, ref x13, ref x14, ref x15);
            Round<TAes>(ref x0, ref x1, ref x2, ref x3);
            Round<TAes>(ref x4, ref x5, ref x6, ref x7);
            Round<TAes>(ref x8, ref x9, ref x10, ref x11);
            Round<TAes>(ref x12, ref x13, ref x14, ref x15);
        }
        _sink = x0 ^ x1 ^ x2 ^ x3 ^ x4 ^ x5 ^ x6 ^ x7 ^ x8 ^ x9 ^ x10 ^ x11 ^ x12 ^ x13 ^ x14 ^ x15;
    }

    private static Vector128<byte> Start(int chain) => Vector128.Create((byte)chain);

    /// <summary>One round of four chains. The block is its own key, for sixteen blocks leave no register for one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round<TAes>(ref Vector128<byte> a, ref Vector128<byte> b, ref Vector128<byte> c, ref Vector128<byte> d)
        where TAes : struct, IAesRounds
    {
        a = TAes.Round(a, a);
        b = TAes.Round(b, b);
        c = TAes.Round(c, c);
        d = TAes.Round(d, d);
    }
}
