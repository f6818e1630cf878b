using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// Which messages share a key. Eleven messages are a block: five pairs, each with one key for both, and a single one. A key loaded once for two halves
/// the loads, which else would be the limit; the single ones take what an odd number of cookies of an epoch leaves over. An array of keys holds those
/// of all pairs, and from <see cref="Singles"/> on those of the single ones.
/// </summary>
internal static unsafe class KeyCells
{
    /// <summary>Messages of a block.</summary>
    internal const int Block = 11;

    /// <summary>Pairs of a block.</summary>
    internal const int Pairs = 5;

    /// <summary>Index of the first single message's key. Before it is room for the keys that <see cref="Arrange"/> writes too much.</summary>
    internal const int Singles = Ff1Form.Keys - MaxBlocks - 1;

    private const int MaxBlocks = (Ff1Form.MaxMessages + Block - 1) / Block;

    // For each number of blocks a row: the places of all pairs and then of the single ones, with room before and behind; and from AloneOffset on the
    // places of messages that have no second, in the order in which they are given out.
    private const int RowLength = 160;
    private const int Slack = 1;
    private const int AloneOffset = 144;
    private static readonly byte[] _rows = MakeRows();

    /// <summary>Where a message without a second goes.</summary>
    private readonly record struct Alone(byte Place, byte Key);

    /// <summary>Index of a place's key.</summary>
    internal static int KeyOf(int place)
    {
        var (block, within) = Math.DivRem(place, Block);
        return within == Block - 1 ? Singles + block : block * Pairs + within / 2;
    }

    /// <summary>Gives messages, and if they are more than two those that fill up their last block, one key.</summary>
    internal static void Fill(Vector128<byte>** keys, int count, Vector128<byte>* key)
    {
        keys[0] = key;
        if (count <= 2)
            return;
        var blocks = BlocksOf(count);
        new Span<nint>(keys, blocks * Pairs).Fill((nint)key);
        new Span<nint>(keys + Singles, blocks).Fill((nint)key);
    }

    /// <summary>Finds places for messages of several epochs, so that both of a pair are of one; see <see cref="Ff1Form.Arrange"/>.</summary>
    internal static int Arrange(ulong counts, int count, CookieBatch.Slot* slots, byte* order, Vector128<byte>** keys)
    {
        const ulong ones = 0x0001_0001_0001_0001;
        var odd = System.Numerics.BitOperations.PopCount(counts & ones);
        var pairs = (count - odd) / 2;
        var blocks = BlocksOf(count);
        while (!Fits(pairs, odd, blocks))
            blocks++;
        fixed (byte* rows = _rows)
        {
            var row = rows + blocks * RowLength + Slack;
            var alone = (Alone*)(rows + blocks * RowLength + AloneOffset);
            var pair = 0;
            // More than an epoch needs is copied and overwritten by the next one, and what there is not goes where nobody looks: branches that
            // depend on the counts would cost more. The order is made in registers, for it is read at once.
            for (var epoch = 0; epoch < PrefixKeys.EpochCount; epoch++)
            {
                var messages = (int)(counts >> (16 * epoch)) & 0xFFFF;
                var isOdd = messages & 1;
                var from = row + 2 * pair - isOdd;
                var places = order + epoch * Ff1Form.OrderStride;
                Vector256.ConditionalSelect(Vector256.CreateScalar((byte)-isOdd), Vector256.CreateScalar(alone->Place), Vector256.Load(from)).Store(places);
                if (count > 32)
                    Vector256.Load(from + 32).Store(places + 32);
                var key = Vector256.Create((nint)slots[epoch].Key);
                for (var i = 0; i < blocks * Pairs + (blocks + 1) / 2; i += 4)
                    key.Store((nint*)keys + pair + i);
                pair += messages / 2;
                alone += isOdd;
            }
            // The pairs that are too many take single places, two each.
            for (var single = 0; single < blocks; single++)
                keys[Singles + single] = keys[blocks * Pairs + single / 2];
            alone = (Alone*)(rows + blocks * RowLength + AloneOffset);
            for (var epoch = 0; epoch < PrefixKeys.EpochCount; epoch++)
            {
                var isOdd = (int)(counts >> (16 * epoch)) & 1;
                keys[isOdd != 0 ? alone->Key : Ff1Form.Keys - 1] = slots[epoch].Key;
                alone += isOdd;
            }
        }
        return blocks * Block;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int BlocksOf(int count) => (count + Block - 1) / Block;

    private static bool Fits(int pairs, int odd, int blocks)
    {
        var surplus = pairs - blocks * Pairs;
        return surplus > 0 ? 2 * surplus + odd <= blocks : Math.Max(0, odd - blocks) <= -surplus;
    }

    private static byte[] MakeRows()
    {
        var rows = new byte[(MaxBlocks + 1) * RowLength];
        for (var blocks = 0; blocks <= MaxBlocks; blocks++)
        {
            var row = rows.AsSpan(blocks * RowLength, RowLength);
            var paired = blocks * 2 * Pairs;
            for (var i = 0; i < paired; i++)
                row[Slack + i] = (byte)(i / (2 * Pairs) * Block + i % (2 * Pairs));
            for (var i = 0; i < blocks; i++)
                row[Slack + paired + i] = PlaceOfSingle(i);
            // The single places from the last on, and where these do not suffice, pairs.
            for (var i = 0; i < PrefixKeys.EpochCount && blocks > 0; i++)
            {
                var place = i < blocks ? PlaceOfSingle(blocks - 1 - i) : row[Slack + 2 * Math.Max(0, Pairs * blocks - 1 - (i - blocks))];
                MemoryMarshal.Cast<byte, Alone>(row[AloneOffset..])[i] = new Alone(place, (byte)KeyOf(place));
            }
        }
        return rows;
    }

    private static byte PlaceOfSingle(int block) => (byte)(block * Block + Block - 1);
}
