using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// Four messages in a register, sixteen at a time, by vector AES and AVX-512 (native/cookiexdp.vaes.c: .NET has no vector AES). Each register has a
/// pointer to keys of its own width; messages stand in the order of their epochs, and a register in which two epochs meet gets keys made for it.
/// </summary>
internal sealed unsafe partial class VaesForm : Ff1Form
{
    private const string Library = "cookiexdp_vaes";
    private const int Width = 4;
    private const int Sixteen = 16;

    private readonly ScalarForm<X86Aes> _scalar = new();

    /// <summary>Whether this processor has the instructions.</summary>
    internal static bool IsSupported { get; } = RuntimeInformation.ProcessArchitecture == Architecture.X64 && X86Aes.IsSupported && IsThere();

    internal override string Name => "vaes";

    internal override void Fill(Vector128<byte>** keys, int count, Vector128<byte>* key) =>
        new Span<nint>(keys, RegistersOf(count)).Fill(count > FewestForLanes ? Wide(key) : (nint)key);

    internal override int Arrange(ulong counts, int count, CookieBatch.Slot* slots, byte* order, Vector128<byte>** keys, byte* scratch)
    {
        var place = Vector256.Create((byte)0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
        var four = stackalloc Vector128<byte>*[Width];
        var begins = stackalloc int[PrefixKeys.EpochCount];
        var begin = 0;
        for (var epoch = 0; epoch < PrefixKeys.EpochCount; epoch++)
        {
            (place + Vector256.Create((byte)begin)).Store(order + epoch * OrderStride);
            (place + Vector256.Create((byte)(begin + 32))).Store(order + epoch * OrderStride + 32);
            begins[epoch] = begin;
            var messages = (int)(counts >> (16 * epoch)) & 0xFFFF;
            // Where this epoch's last register is the next one's first, that is put right below.
            for (var register = begin / Width; messages > 0 && register < RegistersOf(count); register++)
                keys[register] = (Vector128<byte>*)Wide(slots[epoch].Key);
            begin += messages;
        }
        var made = -1;
        for (var epoch = 1; epoch < PrefixKeys.EpochCount; epoch++)
        {
            var register = begins[epoch] / Width;
            if (begins[epoch] % Width == 0 || begins[epoch] >= count || register == made)
                continue;
            made = register;
            for (var i = 0; i < Width; i++)
            {
                var of = 0;
                for (var later = 1; later < PrefixKeys.EpochCount; later++)
                    of += register * Width + i >= begins[later] ? 1 : 0;
                four[i] = slots[of].Key;
            }
            Ff1Key.Widen(four[0], four[1], four[2], four[3], (Vector128<byte>*)scratch);
            keys[register] = (Vector128<byte>*)scratch;
            scratch += Ff1Key.WideLength;
        }
        // So few would be done one after the other, and that wants other keys.
        return Math.Max(count, FewestForLanes + 1);
    }

    internal override void Encrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        if (count <= FewestForLanes)
            _scalar.Encrypt(halves, keys, count, halfMask);
        else
            Encrypt(halves, keys, (nuint)RegistersOf(count), halfMask);
    }

    internal override void Decrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        if (count <= FewestForLanes)
            _scalar.Decrypt(halves, keys, count, halfMask);
        else
            Decrypt(halves, keys, (nuint)RegistersOf(count), halfMask);
    }

    /// <summary>Registers that so many messages take, whole sixteens.</summary>
    private static int RegistersOf(int count) => (count + Sixteen - 1) / Sixteen * (Sixteen / Width);

    private static nint Wide(Vector128<byte>* key) => (nint)key + Ff1Key.WideOffset;

    /// <summary>The programs have the native code in them; other hosts of this library may lack it.</summary>
    private static bool IsThere()
    {
        try
        {
            return Supported() != 0;
        }
        catch (DllNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport(Library, EntryPoint = "cookiexdp_vaes_supported")]
    private static partial int Supported();

    // Less than a microsecond: going over to native code and back as the runtime else does it would cost more than it protects.
    [LibraryImport(Library, EntryPoint = "cookiexdp_vaes_encrypt")]
    [SuppressGCTransition]
    private static partial void Encrypt(void* halves, void* keys, nuint registers, ulong halfMask);

    [LibraryImport(Library, EntryPoint = "cookiexdp_vaes_decrypt")]
    [SuppressGCTransition]
    private static partial void Decrypt(void* halves, void* keys, nuint registers, ulong halfMask);
}
