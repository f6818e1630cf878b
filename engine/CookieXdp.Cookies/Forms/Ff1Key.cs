using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// A key and tweak ready for FF1: eleven AES round keys, and for each of the ten rounds what its block is added to. With a tweak of seven
/// bytes and halves of five, Q is one block, and the block before it (P) is the same for every message under one key: CIPH_K(P), tweak and round
/// number are one constant. Pinned and aligned to a cache line, so that a form can keep pointers to several; wiped when no longer used (what
/// a batch leaves of it on the stack is not: whoever can read that can read this).
/// </summary>
internal sealed unsafe class Ff1Key
{
    /// <summary>Bytes of the tweak.</summary>
    internal const int TweakLength = 7;

    /// <summary>Rounds of FF1.</summary>
    internal const int Rounds = 10;

    /// <summary>Round keys of AES-128, from index 0 of <see cref="Pointer"/> on.</summary>
    internal const int RoundKeys = 11;

    /// <summary>Index of the first round's constant.</summary>
    internal const int Constants = RoundKeys;

    /// <summary>Bytes of the same for a form that has four messages in a register: each vector four times over.</summary>
    internal const int WideLength = 4 * BlockLength * (RoundKeys + Rounds);

    /// <summary>Bytes from <see cref="Pointer"/> to it.</summary>
    internal const int WideOffset = (Length * BlockLength + CacheLine - 1) / CacheLine * CacheLine;

    /// <summary>The boundary that both lie on.</summary>
    internal const int CacheLine = 64;

    private const int ConstantsWithFirstKey = Constants + Rounds;
    private const int Length = ConstantsWithFirstKey + Rounds;
    private const int BlockLength = 16;

    private readonly byte[] _memory = GC.AllocateArray<byte>(WideOffset + WideLength + CacheLine, pinned: true);

    /// <summary>Prepares a key.</summary>
    /// <param name="key">An AES-128 key, 16 bytes.</param>
    /// <param name="tweak">Seven bytes.</param>
    /// <param name="bits">n: even, 66 to 80, so that one half takes five bytes.</param>
    internal Ff1Key(ReadOnlySpan<byte> key, ReadOnlySpan<byte> tweak, int bits)
    {
        if (key.Length != BlockLength)
            throw new ArgumentException("an AES-128 key has 16 bytes", nameof(key));
        if (tweak.Length != TweakLength)
            throw new ArgumentException("the tweak has seven bytes", nameof(tweak));
        if (bits is < 66 or > 80 || bits % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "an even number from 66 to 80");
        HalfMask = (1UL << (bits / 2)) - 1;
        Pointer = (Vector128<byte>*)((Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0) + CacheLine - 1) & -CacheLine);
        SoftwareAes.ExpandKey(key, new Span<Vector128<byte>>(Pointer, RoundKeys));

        // P = 1 ‖ 2 ‖ 1 ‖ radix (3 bytes) ‖ 10 ‖ u mod 256 ‖ n (4 bytes) ‖ t (4 bytes)
        ReadOnlySpan<byte> p = [1, 2, 1, 0, 0, 2, Rounds, (byte)(bits / 2), 0, 0, 0, (byte)bits, 0, 0, 0, TweakLength];
        // Q = tweak ‖ 0 (3 bytes) ‖ round ‖ the half (5 bytes)
        Span<byte> q = stackalloc byte[BlockLength];
        q.Clear();
        tweak.CopyTo(q);
        var constant = Encrypt(Vector128.Create(p)) ^ Vector128.Create<byte>(q);
        for (var round = 0; round < Rounds; round++)
        {
            Pointer[Constants + round] = constant ^ Vector128<byte>.Zero.WithElement(10, (byte)round);
            Pointer[ConstantsWithFirstKey + round] = Pointer[Constants + round] ^ Pointer[0];
        }
        Widen(Pointer, Pointer, Pointer, Pointer, (Vector128<byte>*)((byte*)Pointer + WideOffset));
    }

#pragma warning disable MA0055 // Workers may still use a key when the keyring has changed; only the collector knows when nobody does.
    /// <summary>Wipes the key.</summary>
    ~Ff1Key() => System.Security.Cryptography.CryptographicOperations.ZeroMemory(_memory);
#pragma warning restore MA0055

    /// <summary>The round keys and constants; valid as long as this object is reachable.</summary>
    internal Vector128<byte>* Pointer { get; }

    /// <summary>Ones where a half has bits.</summary>
    internal ulong HalfMask { get; }

    /// <summary>Index of the first round's constant as an instruction set wants it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int ConstantsOf<TAes>()
        where TAes : struct, IAesRounds => TAes.FirstKey == 1 ? ConstantsWithFirstKey : Constants;

    /// <summary>Makes the wide keys of four messages, whose <see cref="Pointer"/>s these are.</summary>
    internal static void Widen(Vector128<byte>* first, Vector128<byte>* second, Vector128<byte>* third, Vector128<byte>* fourth, Vector128<byte>* wide)
    {
        for (var i = 0; i < RoundKeys + Rounds; i++, wide += 4)
        {
            var from = i < RoundKeys ? i : i - Constants + ConstantsWithFirstKey;
            wide[0] = first[from];
            wide[1] = second[from];
            wide[2] = third[from];
            wide[3] = fourth[from];
        }
    }

    /// <summary>Enciphers one block by the portable form: this is done once a key.</summary>
    internal Vector128<byte> Encrypt(Vector128<byte> block)
    {
        var planes = stackalloc Vector128<byte>[RoundKeys * SoftwareAes.Blocks];
        var blocks = stackalloc Vector128<byte>[SoftwareAes.Blocks];
        for (var roundKey = 0; roundKey < RoundKeys; roundKey++)
        {
            new Span<Vector128<byte>>(planes + roundKey * SoftwareAes.Blocks, SoftwareAes.Blocks).Fill(Pointer[roundKey]);
            SoftwareAes.Transpose(planes + roundKey * SoftwareAes.Blocks);
        }
        new Span<Vector128<byte>>(blocks, SoftwareAes.Blocks).Clear();
        blocks[0] = block;
        SoftwareAes.Encrypt(blocks, planes);
        new Span<Vector128<byte>>(planes, RoundKeys * SoftwareAes.Blocks).Clear();
        return blocks[0];
    }
}
