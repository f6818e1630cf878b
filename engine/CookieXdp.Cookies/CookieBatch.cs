using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies;

/// <summary>
/// Opens and mints many cookies at once, a piece at a time: unpack, cipher, judge. Which epoch a cookie names stands in clear, and
/// decides its key; of all else the time tells nothing. Nothing is allocated.
/// </summary>
internal static unsafe class CookieBatch
{
    /// <summary>Cookies that are worked on at once; a longer batch goes in pieces.</summary>
    internal const int Piece = Ff1Form.MaxMessages;

    /// <summary>One epoch's key.</summary>
    internal struct Slot
    {
        /// <summary>An epoch's start where there is no key: the last second there is, so that whatever opens under it lies in the future.</summary>
        internal const uint NoEpoch = uint.MaxValue;

        /// <summary>The key; where there is none, any other, so that every lane of a batch has one.</summary>
        internal Vector128<byte>* Key;

        /// <summary>The epoch's first second, or <see cref="NoEpoch"/>.</summary>
        internal uint EpochStart;
    }

    /// <summary>What a genuine cookie is measured by.</summary>
    /// <param name="RawPrefix">The prefix as it lies in memory, in the lowest six bytes.</param>
    /// <param name="Latest">The latest time that is not too far in the future, Unix seconds.</param>
    internal readonly record struct Bounds(ulong RawPrefix, ulong Latest);

    /// <summary>Opens up to <see cref="Piece"/> addresses.</summary>
    /// <param name="form">How to cipher.</param>
    /// <param name="addresses">16 bytes each, network byte order.</param>
    /// <param name="count">How many, from 1.</param>
    /// <param name="slots">The keys.</param>
    /// <param name="bounds">What is believed.</param>
    /// <param name="cookies">Receives what they say.</param>
    [SkipLocalsInit]
    internal static void Open(Ff1Form form, Vector128<byte>* addresses, int count, Slot* slots, in Bounds bounds, OpenedCookie* cookies)
    {
        var taken = stackalloc Vector128<ulong>[Ff1Form.Places];
        var keys = stackalloc Vector128<byte>*[Ff1Form.Keys];
        var counts = CookiePacking.CountEpochs(addresses, count);
        CookiePacking.TakeHalves(addresses, count, taken);
        var shift = CookiePacking.EpochShift(addresses);
        if (counts == (ulong)count << shift)
        {
            form.Fill(keys, count, slots[shift >> 4].Key);
            form.Decrypt(taken, keys, count, CookieBits.HalfMask);
            CookiePacking.Judge(taken, places: null, addresses, count, slots, bounds, cookies);
            return;
        }
        // Epochs mix: the messages are put where the form has the right key for each, and the answers taken from there.
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var places = stackalloc byte[Piece];
        var order = stackalloc byte[Ff1Form.Order];
        var scratch = stackalloc byte[Ff1Form.Scratch + Ff1Key.CacheLine];
        scratch = (byte*)(((nint)scratch + Ff1Key.CacheLine - 1) & -Ff1Key.CacheLine);
        var room = form.Arrange(counts, count, slots, order, keys, scratch);
        Scatter(taken, (byte*)addresses + CookiePrefix.ByteLength, sizeof(Vector128<byte>), count, order, places, halves);
        form.Decrypt(halves, keys, room, CookieBits.HalfMask);
        CookiePacking.Judge(halves, places, addresses, count, slots, bounds, cookies);
    }

    /// <summary>Mints up to <see cref="Piece"/> addresses.</summary>
    /// <returns>Whether every order's epoch has a key; else what was written is not to be used.</returns>
    [SkipLocalsInit]
    internal static bool TryMint(Ff1Form form, MintOrder* orders, int count, Slot* slots, ulong prefixBits, Vector128<byte>* addresses)
    {
        var packed = stackalloc Vector128<ulong>[Ff1Form.Places];
        var heads = stackalloc ulong[Piece];
        var keys = stackalloc Vector128<byte>*[Ff1Form.Keys];
        var unusable = CookiePacking.Pack(orders, count, slots, prefixBits, packed, heads, out var counts);
        var shift = CookiePacking.EpochShift(heads[0]);
        if (counts == (ulong)count << shift)
        {
            form.Fill(keys, count, slots[shift >> 4].Key);
            form.Encrypt(packed, keys, count, CookieBits.HalfMask);
            CookiePacking.WriteAddresses(packed, places: null, heads, count, addresses);
            return unusable == 0;
        }
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var places = stackalloc byte[Piece];
        var order = stackalloc byte[Ff1Form.Order];
        var scratch = stackalloc byte[Ff1Form.Scratch + Ff1Key.CacheLine];
        scratch = (byte*)(((nint)scratch + Ff1Key.CacheLine - 1) & -Ff1Key.CacheLine);
        var room = form.Arrange(counts, count, slots, order, keys, scratch);
        Scatter(packed, (byte*)heads + 1, sizeof(ulong), count, order, places, halves);
        form.Encrypt(halves, keys, room, CookieBits.HalfMask);
        CookiePacking.WriteAddresses(halves, places, heads, count, addresses);
        return unusable == 0;
    }

    /// <summary>Puts messages where <see cref="Ff1Form.Arrange"/> wants them.</summary>
    /// <param name="from">The messages.</param>
    /// <param name="epochs">The byte of the first one's address that has the epoch in its upper two bits.</param>
    /// <param name="stride">Bytes from there to the next one's.</param>
    /// <param name="count">How many.</param>
    /// <param name="order">Each epoch's places.</param>
    /// <param name="places">Receives each message's place.</param>
    /// <param name="to">Receives the messages.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Scatter(Vector128<ulong>* from, byte* epochs, nint stride, int count, byte* order, byte* places, Vector128<ulong>* to)
    {
        // The next index into the order for each epoch, sixteen bits each.
        var next = (ulong)Ff1Form.OrderStride << 16 | (ulong)(2 * Ff1Form.OrderStride) << 32 | (ulong)(3 * Ff1Form.OrderStride) << 48;
        for (var end = places + count; places < end; places++, from++, epochs += stride)
        {
            // Numbers as wide as registers: every narrower one costs an instruction.
            var shift = ((nuint)(*epochs) & 0xC0) >> 2;
            nuint place = order[(nuint)(ushort)(next >> (int)shift)];
            next += 1UL << (int)shift;
            *places = (byte)place;
            to[place] = *from;
        }
    }
}
