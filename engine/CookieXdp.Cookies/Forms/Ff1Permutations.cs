using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace CookieXdp.Cookies.Forms;

/// <summary>How a half gets into the block that a round enciphers, and how a round's output gets out of it: one byte shuffle each.</summary>
internal static class Ff1Permutations
{
    private const byte No = 0x80;

    /// <summary>Q's last five bytes are NUM of the half in element 0, big-endian; the constant brings the rest.</summary>
    internal static Vector128<byte> TakeFirst
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create(No, No, No, No, No, No, No, No, No, No, No, 4, 3, 2, 1, 0);
    }

    /// <summary>The same for the half in element 1.</summary>
    internal static Vector128<byte> TakeSecond
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create(No, No, No, No, No, No, No, No, No, No, No, 12, 11, 10, 9, 8);
    }

    /// <summary>NUM(S) is R's first twelve bytes, big-endian; its low 40 bits, bytes 7–11, go to element 0.</summary>
    internal static Vector128<byte> PutFirst
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create(11, 10, 9, 8, 7, No, No, No, No, No, No, No, No, No, No, No);
    }

    /// <summary>The same for element 1.</summary>
    internal static Vector128<byte> PutSecond
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector128.Create(No, No, No, No, No, No, No, No, 11, 10, 9, 8, 7, No, No, No);
    }

    /// <summary>Moves bytes; an index with its top bit set gives zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector128<byte> Shuffle(Vector128<byte> bytes, Vector128<byte> indices) =>
        Ssse3.IsSupported ? Ssse3.Shuffle(bytes, indices) : Vector128.Shuffle(bytes, indices);

    /// <summary>The same in each half of 32 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<byte> Shuffle(Vector256<byte> bytes, Vector256<byte> indices) => Avx2.IsSupported
        ? Avx2.Shuffle(bytes, indices)
        : Vector256.Create(Shuffle(bytes.GetLower(), indices.GetLower()), Shuffle(bytes.GetUpper(), indices.GetUpper()));
}
