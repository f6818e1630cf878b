using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies;

/// <summary>
/// FF1 (NIST SP 800-38G, algorithms 7 and 8) with AES-128 over bits: radix 2, an even number n of them, most significant first, with
/// a tweak of seven bytes. With these sizes every round's input is a single AES block, and the block before it is the same for every
/// message under one key, so it is enciphered once and kept: ten AES calls a message.
/// </summary>
internal sealed class Ff1
{
    /// <summary>Bytes of the tweak.</summary>
    internal const int TweakLength = 7;

    private const int Rounds = 10;

    private readonly Aes128 _aes;
    private readonly Vector128<byte> _chained; // CIPH_K(P) ⊕ (tweak ‖ 0…0): all of Q that does not change within a message
    private readonly ulong _halfMask;

    /// <summary>Prepares a key.</summary>
    /// <param name="key">An AES-128 key, 16 bytes.</param>
    /// <param name="tweak">Seven bytes.</param>
    /// <param name="bits">n: even, 66 to 80, so that one half takes five bytes.</param>
    internal Ff1(ReadOnlySpan<byte> key, ReadOnlySpan<byte> tweak, int bits)
    {
        if (tweak.Length != TweakLength)
            throw new ArgumentException("the tweak has seven bytes", nameof(tweak));
        if (bits is < 66 or > 80 || bits % 2 != 0)
            throw new ArgumentOutOfRangeException(nameof(bits), bits, "an even number from 66 to 80");
        var half = bits / 2;
        _halfMask = (1UL << half) - 1;
        _aes = new Aes128(key);

        // P = 1 ‖ 2 ‖ 1 ‖ radix (3 bytes) ‖ 10 ‖ u mod 256 ‖ n (4 bytes) ‖ t (4 bytes)
        ReadOnlySpan<byte> p = [1, 2, 1, 0, 0, 2, Rounds, (byte)half, 0, 0, 0, (byte)bits, 0, 0, 0, TweakLength];
        Span<byte> q = stackalloc byte[16];
        q.Clear();
        tweak.CopyTo(q);
        _chained = _aes.Encrypt(Vector128.Create(p)) ^ Vector128.Create<byte>(q);
    }

    /// <summary>Enciphers both halves in place.</summary>
    internal void Encrypt(ref ulong left, ref ulong right)
    {
        var (a, b) = (left, right);
        for (var round = 0; round < Rounds; round++)
            (a, b) = (b, (a + Keystream(round, b)) & _halfMask);
        (left, right) = (a, b);
    }

    /// <summary>Deciphers both halves in place.</summary>
    internal void Decrypt(ref ulong left, ref ulong right)
    {
        var (a, b) = (left, right);
        for (var round = Rounds - 1; round >= 0; round--)
            (a, b) = ((b - Keystream(round, a)) & _halfMask, a);
        (left, right) = (a, b);
    }

    /// <summary>
    /// One round's NUM(S), of which the caller keeps the low half's bits. Q = tweak (7) ‖ 0 (3) ‖ round (1) ‖ half (5, big-endian);
    /// S is R's first 12 bytes, so its low 64 bits are R's bytes 4–11.
    /// </summary>
    private ulong Keystream(int round, ulong half)
    {
        // Bytes 10–15 of Q: as the block's upper lane in memory order, that is the number below, byte-swapped.
        var tail = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ulong)round << 40 | half);
        var r = _aes.Encrypt(_chained ^ Vector128.Create(0, tail).AsByte()).AsUInt32();
        return System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ulong)r.GetElement(2) << 32 | r.GetElement(1));
    }
}
