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
    internal const int Piece = 64;

    /// <summary>Messages of a piece when each epoch's begin a pair of their own, with room for padding to the widest form.</summary>
    internal const int Room = Piece + 2 * Ff1Form.Lanes;

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
    /// <param name="PrefixBits">The prefix, 48 bits.</param>
    /// <param name="Earliest">The start of the earliest epoch that is believed, Unix seconds.</param>
    /// <param name="Latest">The latest time that is not too far in the future, Unix seconds.</param>
    internal readonly record struct Bounds(ulong PrefixBits, ulong Earliest, ulong Latest);

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
        var halves = stackalloc Vector128<ulong>[Room];
        var pairKeys = stackalloc Vector128<byte>*[Room / 2];
        var differences = Vector128<byte>.Zero;
        for (var i = 1; i < count; i++)
            differences |= addresses[i] ^ addresses[0];
        if (differences.GetElement(CookiePrefix.ByteLength) >> 6 == 0)
        {
            new Span<nint>(pairKeys, (count + 1) / 2).Fill((nint)slots[EpochOf(addresses[0])].Key);
            CookiePacking.TakeHalves(addresses, count, halves);
            form.Decrypt(halves, pairKeys, count, CookieBits.HalfMask);
            CookiePacking.Judge(halves, addresses, count, slots, bounds, cookies);
            return;
        }
        // Epochs mix: the cookies are put in an order in which both of a pair are of one epoch, and back.
        var places = stackalloc byte[Piece];
        var arranged = stackalloc Vector128<byte>[Room];
        var opened = stackalloc OpenedCookie[Room];
        for (var i = 0; i < count; i++)
            places[i] = (byte)EpochOf(addresses[i]);
        var messages = Arrange(places, count, slots, pairKeys);
        new Span<Vector128<byte>>(arranged, messages).Clear();
        for (var i = 0; i < count; i++)
            arranged[places[i]] = addresses[i];
        CookiePacking.TakeHalves(arranged, messages, halves);
        form.Decrypt(halves, pairKeys, messages, CookieBits.HalfMask);
        CookiePacking.Judge(halves, arranged, messages, slots, bounds, opened);
        for (var i = 0; i < count; i++)
            cookies[i] = opened[places[i]];
    }

    /// <summary>Mints up to <see cref="Piece"/> addresses.</summary>
    /// <returns>Whether every order's epoch has a key; else what was written is not to be used.</returns>
    [SkipLocalsInit]
    internal static bool TryMint(Ff1Form form, MintOrder* orders, int count, Slot* slots, ulong prefixBits, Vector128<byte>* addresses)
    {
        var halves = stackalloc Vector128<ulong>[Room];
        var heads = stackalloc ulong[Room];
        var pairKeys = stackalloc Vector128<byte>*[Room / 2];
        var (first, last) = (orders[0].MintedAt, orders[0].MintedAt);
        for (var i = 1; i < count; i++)
        {
            first = Math.Min(first, orders[i].MintedAt);
            last = Math.Max(last, orders[i].MintedAt);
        }
        ulong unusable;
        if (first / CookieTime.EpochSeconds == last / CookieTime.EpochSeconds)
        {
            new Span<nint>(pairKeys, (count + 1) / 2).Fill((nint)slots[EpochOf(orders[0])].Key);
            unusable = CookiePacking.Pack(orders, count, slots, prefixBits, halves, heads);
            form.Encrypt(halves, pairKeys, count, CookieBits.HalfMask);
            CookiePacking.WriteAddresses(halves, heads, count, addresses);
            return unusable == 0;
        }
        var places = stackalloc byte[Piece];
        var arranged = stackalloc MintOrder[Room];
        var minted = stackalloc Vector128<byte>[Room];
        for (var i = 0; i < count; i++)
            places[i] = (byte)EpochOf(orders[i]);
        var messages = Arrange(places, count, slots, pairKeys);
        new Span<MintOrder>(arranged, messages).Fill(orders[0]);
        for (var i = 0; i < count; i++)
            arranged[places[i]] = orders[i];
        unusable = CookiePacking.Pack(arranged, messages, slots, prefixBits, halves, heads);
        form.Encrypt(halves, pairKeys, messages, CookieBits.HalfMask);
        CookiePacking.WriteAddresses(halves, heads, messages, minted);
        for (var i = 0; i < count; i++)
            addresses[i] = minted[places[i]];
        return unusable == 0;
    }

    private static int EpochOf(Vector128<byte> address) => address.GetElement(CookiePrefix.ByteLength) >> 6;

    private static int EpochOf(in MintOrder order) => (int)(order.MintedAt / CookieTime.EpochSeconds & 3);

    /// <summary>Gives each cookie a place so that both of a pair are of one epoch.</summary>
    /// <param name="places">Each cookie's epoch mod 4; receives its place.</param>
    /// <param name="count">How many cookies.</param>
    /// <param name="slots">The keys.</param>
    /// <param name="pairKeys">Receives each pair's key.</param>
    /// <returns>How many places there are, those left empty between two epochs included.</returns>
    private static int Arrange(byte* places, int count, Slot* slots, Vector128<byte>** pairKeys)
    {
        var next = stackalloc int[PrefixKeys.EpochCount];
        new Span<int>(next, PrefixKeys.EpochCount).Clear();
        for (var i = 0; i < count; i++)
            next[places[i]]++;
        var end = 0;
        for (var epoch = 0; epoch < PrefixKeys.EpochCount; epoch++)
        {
            var begin = end;
            end += (next[epoch] + 1) & ~1;
            for (var pair = begin / 2; pair < end / 2; pair++)
                pairKeys[pair] = slots[epoch].Key;
            next[epoch] = begin;
        }
        for (var i = 0; i < count; i++)
            places[i] = (byte)next[places[i]]++;
        return end;
    }
}
