using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// AES-128 without AES instructions, eight blocks at once, bitsliced: plane p holds bit p of every byte, its byte j the bit of byte j of
/// each of the eight blocks. Only logic and fixed permutations: no table and no branch depends on key or data. The substitution is the
/// circuit of Boyar and Peralta ("A depth-16 circuit for the AES S-box", 2011), the layout that of Käsper and Schwabe (2009).
/// </summary>
internal static unsafe class SoftwareAes
{
    /// <summary>Blocks that are enciphered at once.</summary>
    internal const int Blocks = 8;

    private const int Planes = 8;

    /// <summary>Turns eight blocks into eight planes, or planes into blocks: the same permutation both ways.</summary>
    internal static void Transpose(Vector128<byte>* v)
    {
        for (var i = 0; i < Planes; i += 2)
            Swap(ref v[i], ref v[i + 1], 1, 0x55);
        for (var i = 0; i < Planes; i++)
        {
            if ((i & 2) == 0)
                Swap(ref v[i], ref v[i + 2], 2, 0x33);
        }
        for (var i = 0; i < 4; i++)
            Swap(ref v[i], ref v[i + 4], 4, 0x0F);
    }

    /// <summary>Enciphers eight blocks in place.</summary>
    /// <param name="blocks">Eight blocks.</param>
    /// <param name="keys">Eleven round keys, each as eight planes.</param>
    internal static void Encrypt(Vector128<byte>* blocks, Vector128<byte>* keys)
    {
        Transpose(blocks);
        AddKey(blocks, keys);
        for (var round = 1; round < 10; round++)
        {
            Substitute(blocks);
            ShiftRows(blocks);
            MixColumns(blocks);
            AddKey(blocks, keys + round * Planes);
        }
        Substitute(blocks);
        ShiftRows(blocks);
        AddKey(blocks, keys + 10 * Planes);
        Transpose(blocks);
    }

    /// <summary>Expands a key into eleven round keys (FIPS 197, section 5.2).</summary>
    internal static void ExpandKey(ReadOnlySpan<byte> key, Span<Vector128<byte>> roundKeys)
    {
        var planes = stackalloc Vector128<byte>[Planes];
        var previous = Vector128.Create(key);
        roundKeys[0] = previous;
        byte constant = 1;
        for (var round = 1; round <= 10; round++)
        {
            // SubWord(RotWord(w3)) in every word, by the same circuit as the cipher's.
            new Span<Vector128<byte>>(planes, Planes).Clear();
            planes[0] = previous;
            Transpose(planes);
            Substitute(planes);
            Transpose(planes);
            var word = Vector128.Shuffle(planes[0], Vector128.Create((byte)13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12));
            var next = previous;
            next ^= ShiftWords(previous, 1) ^ ShiftWords(previous, 2) ^ ShiftWords(previous, 3);
            next ^= word ^ Vector128.Create((uint)constant).AsByte();
            roundKeys[round] = previous = next;
            constant = (byte)(constant << 1 ^ (constant >> 7) * 0x1B);
        }
        new Span<Vector128<byte>>(planes, Planes).Clear();
    }

    private static Vector128<byte> ShiftWords(Vector128<byte> v, int words)
    {
        var u = v.AsUInt32();
        return words switch
        {
            1 => Vector128.Create(0, u[0], u[1], u[2]).AsByte(),
            2 => Vector128.Create(0, 0, u[0], u[1]).AsByte(),
            _ => Vector128.Create(0, 0, 0, u[0]).AsByte(),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Swap(ref Vector128<byte> low, ref Vector128<byte> high, int shift, byte mask)
    {
        var difference = ((low >>> shift) ^ high) & Vector128.Create(mask);
        high ^= difference;
        low ^= difference << shift;
    }

    private static void AddKey(Vector128<byte>* v, Vector128<byte>* key)
    {
        for (var plane = 0; plane < Planes; plane++)
            v[plane] ^= key[plane];
    }

    private static void ShiftRows(Vector128<byte>* v)
    {
        // Byte r + 4c of the state comes from column c + r (FIPS 197, section 5.1.2).
        var order = Vector128.Create((byte)0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
        for (var plane = 0; plane < Planes; plane++)
            v[plane] = Vector128.Shuffle(v[plane], order);
    }

    private static void MixColumns(Vector128<byte>* v)
    {
        // With d = a ⊕ next(a): a′ = 2·d ⊕ next(a) ⊕ next²(d); doubling moves each plane up and feeds plane 7 into 0, 1, 3 and 4 (0x1B).
        var next = Vector128.Create((byte)1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
        var second = Vector128.Create((byte)2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
        var d = stackalloc Vector128<byte>[Planes];
        for (var plane = 0; plane < Planes; plane++)
        {
            var neighbour = Vector128.Shuffle(v[plane], next);
            d[plane] = v[plane] ^ neighbour;
            v[plane] = neighbour ^ Vector128.Shuffle(d[plane], second);
        }
        v[0] ^= d[7];
        v[1] ^= d[0] ^ d[7];
        v[2] ^= d[1];
        v[3] ^= d[2] ^ d[7];
        v[4] ^= d[3] ^ d[7];
        v[5] ^= d[4];
        v[6] ^= d[5];
        v[7] ^= d[6];
    }

    /// <summary>The S-box on all bytes; the circuit's x0 and s0 are the most significant bits.</summary>
    [SuppressMessage("Style", "IDE0047", Justification = "The circuit stands as published.")]
    private static void Substitute(Vector128<byte>* v)
    {
        var (x0, x1, x2, x3, x4, x5, x6, x7) = (v[7], v[6], v[5], v[4], v[3], v[2], v[1], v[0]);

        var y14 = x3 ^ x5;
        var y13 = x0 ^ x6;
        var y9 = x0 ^ x3;
        var y8 = x0 ^ x5;
        var t0 = x1 ^ x2;
        var y1 = t0 ^ x7;
        var y4 = y1 ^ x3;
        var y12 = y13 ^ y14;
        var y2 = y1 ^ x0;
        var y5 = y1 ^ x6;
        var y3 = y5 ^ y8;
        var t1 = x4 ^ y12;
        var y15 = t1 ^ x5;
        var y20 = t1 ^ x1;
        var y6 = y15 ^ x7;
        var y10 = y15 ^ t0;
        var y11 = y20 ^ y9;
        var y7 = x7 ^ y11;
        var y17 = y10 ^ y11;
        var y19 = y10 ^ y8;
        var y16 = t0 ^ y11;
        var y21 = y13 ^ y16;
        var y18 = x0 ^ y16;

        var t2 = y12 & y15;
        var t4 = (y3 & y6) ^ t2;
        var t6 = (y4 & x7) ^ t2;
        var t7 = y13 & y16;
        var t9 = (y5 & y1) ^ t7;
        var t11 = (y2 & y7) ^ t7;
        var t12 = y9 & y11;
        var t14 = (y14 & y17) ^ t12;
        var t16 = (y8 & y10) ^ t12;
        var t21 = t4 ^ t14 ^ y20;
        var t22 = t6 ^ t16 ^ y19;
        var t23 = t9 ^ t14 ^ y21;
        var t24 = t11 ^ t16 ^ y18;
        var t25 = t21 ^ t22;
        var t26 = t21 & t23;
        var t27 = t24 ^ t26;
        var t29 = (t25 & t27) ^ t22;
        var t30 = t23 ^ t24;
        var t31 = t22 ^ t26;
        var t33 = (t31 & t30) ^ t24;
        var t34 = t23 ^ t33;
        var t35 = t27 ^ t33;
        var t36 = t24 & t35;
        var t37 = t36 ^ t34;
        var t38 = t27 ^ t36;
        var t40 = t25 ^ (t29 & t38);
        var t41 = t40 ^ t37;
        var t42 = t29 ^ t33;
        var t43 = t29 ^ t40;
        var t44 = t33 ^ t37;
        var t45 = t42 ^ t41;

        var z0 = t44 & y15;
        var z1 = t37 & y6;
        var z2 = t33 & x7;
        var z3 = t43 & y16;
        var z4 = t40 & y1;
        var z5 = t29 & y7;
        var z6 = t42 & y11;
        var z7 = t45 & y17;
        var z8 = t41 & y10;
        var z9 = t44 & y12;
        var z10 = t37 & y3;
        var z11 = t33 & y4;
        var z12 = t43 & y13;
        var z13 = t40 & y5;
        var z14 = t29 & y2;
        var z15 = t42 & y9;
        var z16 = t45 & y14;
        var z17 = t41 & y8;

        var t46 = z15 ^ z16;
        var t47 = z10 ^ z11;
        var t48 = z5 ^ z13;
        var t49 = z9 ^ z10;
        var t50 = z2 ^ z12;
        var t51 = z2 ^ z5;
        var t52 = z7 ^ z8;
        var t53 = z0 ^ z3;
        var t54 = z6 ^ z7;
        var t55 = z16 ^ z17;
        var t56 = z12 ^ t48;
        var t57 = t50 ^ t53;
        var t58 = z4 ^ t46;
        var t59 = z3 ^ t54;
        var t60 = t46 ^ t57;
        var t61 = z14 ^ t57;
        var t62 = t52 ^ t58;
        var t63 = t49 ^ t58;
        var t64 = z4 ^ t59;
        var t65 = t61 ^ t62;
        var t66 = z1 ^ t63;
        var t67 = t64 ^ t65;
        var s3 = t53 ^ t66;

        v[7] = t59 ^ t63;
        v[6] = t64 ^ ~s3;
        v[5] = t55 ^ ~t67;
        v[4] = s3;
        v[3] = t51 ^ t66;
        v[2] = t47 ^ t65;
        v[1] = t56 ^ ~t62;
        v[0] = t48 ^ ~t60;
    }
}
