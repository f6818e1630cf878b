using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using AesNi = System.Runtime.Intrinsics.X86.Aes;
using Sse2 = System.Runtime.Intrinsics.X86.Sse2;

namespace CookieXdp.Cookies;

/// <summary>
/// AES-128 (FIPS 197) encryption of single blocks with the processor's own instructions: no table and no branch depends on
/// key or data, so the time tells nothing of either.
/// </summary>
internal struct Aes128
{
    private RoundKeys _keys;

    /// <summary>Expands a key of 16 bytes.</summary>
    /// <exception cref="PlatformNotSupportedException">The processor lacks the AES instructions.</exception>
    internal Aes128(ReadOnlySpan<byte> key)
    {
        if (!AesNi.IsSupported)
            throw new PlatformNotSupportedException("this processor lacks the AES instructions (x86: AES-NI), which opening and minting cookies need");
        if (key.Length != 16)
            throw new ArgumentException("an AES-128 key has 16 bytes", nameof(key));
        var k = Vector128.Create(key);
        _keys[0] = k;
        _keys[1] = k = Next(k, AesNi.KeygenAssist(k, 0x01));
        _keys[2] = k = Next(k, AesNi.KeygenAssist(k, 0x02));
        _keys[3] = k = Next(k, AesNi.KeygenAssist(k, 0x04));
        _keys[4] = k = Next(k, AesNi.KeygenAssist(k, 0x08));
        _keys[5] = k = Next(k, AesNi.KeygenAssist(k, 0x10));
        _keys[6] = k = Next(k, AesNi.KeygenAssist(k, 0x20));
        _keys[7] = k = Next(k, AesNi.KeygenAssist(k, 0x40));
        _keys[8] = k = Next(k, AesNi.KeygenAssist(k, 0x80));
        _keys[9] = k = Next(k, AesNi.KeygenAssist(k, 0x1B));
        _keys[10] = Next(k, AesNi.KeygenAssist(k, 0x36));
    }

    /// <summary>Whether the processor has what this needs.</summary>
    internal static bool IsSupported => AesNi.IsSupported;

    /// <summary>Encrypts one block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly Vector128<byte> Encrypt(Vector128<byte> block)
    {
        block ^= _keys[0];
        block = AesNi.Encrypt(block, _keys[1]);
        block = AesNi.Encrypt(block, _keys[2]);
        block = AesNi.Encrypt(block, _keys[3]);
        block = AesNi.Encrypt(block, _keys[4]);
        block = AesNi.Encrypt(block, _keys[5]);
        block = AesNi.Encrypt(block, _keys[6]);
        block = AesNi.Encrypt(block, _keys[7]);
        block = AesNi.Encrypt(block, _keys[8]);
        block = AesNi.Encrypt(block, _keys[9]);
        return AesNi.EncryptLast(block, _keys[10]);
    }

    private static Vector128<byte> Next(Vector128<byte> key, Vector128<byte> assist)
    {
        key ^= Sse2.ShiftLeftLogical128BitLane(key, 4);
        key ^= Sse2.ShiftLeftLogical128BitLane(key, 8);
        return key ^ Sse2.Shuffle(assist.AsInt32(), 0xFF).AsByte();
    }

    [InlineArray(11)]
    private struct RoundKeys
    {
        private Vector128<byte> _first;
    }
}
