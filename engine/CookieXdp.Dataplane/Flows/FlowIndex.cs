using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// Finds entries by a hash: buckets of one cache line with seven slots, each slot 32 bits of the hash and the entry's number, stored as
/// one word. Readers take no lock. What finds its bucket full lies in the next one that has room, and each bucket it
/// passed counts it, so that a reader knows how far to look. Slots never move, so a reader misses nothing that is there all the while.
/// Private memory: whoever takes a flow file over makes it anew.
/// </summary>
internal sealed unsafe class FlowIndex : IDisposable
{
    private const int SlotsPerBucket = 7;
    private const int Passed = 7; // the word behind the slots: how many entries lie further on
    private const int WordsPerBucket = 8;

    private readonly NativePages _pages;
    private readonly ulong* _buckets;
    private readonly Flow* _flows;
    private readonly uint _mask;

    /// <summary>An empty index.</summary>
    /// <param name="flows">The entries.</param>
    /// <param name="capacity">How many of them are found at a time: two slots each, at most four of seven taken.</param>
    internal FlowIndex(Flow* flows, int capacity)
    {
        var buckets = System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(capacity / 2, 8));
        _mask = buckets - 1;
        _flows = flows;
        _pages = new NativePages((nuint)buckets * WordsPerBucket * sizeof(ulong));
        _buckets = (ulong*)_pages.Memory;
    }

    /// <summary>Whether nothing is left of what was added; slow.</summary>
    internal bool IsEmpty => !new ReadOnlySpan<ulong>(_buckets, (int)(_mask + 1) * WordsPerBucket).ContainsAnyExcept(0UL);

    /// <summary>Has the processor fetch the bucket of a hash.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Prefetch(ulong hash)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(BucketOf(hash));
    }

    /// <summary>The first entry of a bucket that has the hash's tag: likely the one that is looked for, but not compared. Null where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Flow* Guess(ulong hash)
    {
        var slots = BucketOf(hash);
        for (var i = 0; i < SlotsPerBucket; i++)
        {
            if (HasTag(slots[i], hash))
                return _flows + EntryOf(slots[i]);
        }
        return null;
    }

    /// <summary>The flow of a frame from a client, or null.</summary>
    internal Flow* FindByClient(in FlowKey key, ulong hash) => Find(key, hash, byClient: true);

    /// <summary>The flow of a frame from a backend, or null.</summary>
    internal Flow* FindByBackend(in FlowKey key, ulong hash) => Find(key, hash, byClient: false);

    /// <summary>Makes an entry found by a hash. One thread at a time.</summary>
    internal void Add(ulong hash, int entry)
    {
        var bucket = (uint)hash & _mask;
        while (true)
        {
            var slots = _buckets + (nuint)bucket * WordsPerBucket;
            for (var i = 0; i < SlotsPerBucket; i++)
            {
                if (slots[i] == 0)
                {
                    Volatile.Write(ref slots[i], SlotOf(hash, entry));
                    return;
                }
            }
            Volatile.Write(ref slots[Passed], slots[Passed] + 1);
            bucket = (bucket + 1) & _mask;
        }
    }

    /// <summary>Undoes <see cref="Add"/>. One thread at a time.</summary>
    internal void Remove(ulong hash, int entry)
    {
        var slot = SlotOf(hash, entry);
        var home = (uint)hash & _mask;
        var bucket = home;
        while (!TryClear(_buckets + (nuint)bucket * WordsPerBucket, slot))
        {
            bucket = (bucket + 1) & _mask;
            Debug.Assert(bucket != home, "what is removed was added");
        }
        for (; home != bucket; home = (home + 1) & _mask)
        {
            var passed = _buckets + (nuint)home * WordsPerBucket + Passed;
            Volatile.Write(ref *passed, *passed - 1);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _pages.Dispose();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Flow* Find(in FlowKey key, ulong hash, bool byClient)
    {
        var bucket = (uint)hash & _mask;
        for (uint looked = 0; looked <= _mask; looked++)
        {
            var slots = _buckets + (nuint)bucket * WordsPerBucket;
            for (var i = 0; i < SlotsPerBucket; i++)
            {
                var slot = Volatile.Read(ref slots[i]);
                if (!HasTag(slot, hash))
                    continue;
                var flow = _flows + EntryOf(slot);
                if (byClient ? flow->IsOfClient(key) : flow->IsOfBackend(key))
                    return flow;
            }
            if (Volatile.Read(ref slots[Passed]) == 0)
                return null;
            bucket = (bucket + 1) & _mask;
        }
        return null;
    }

    private static bool TryClear(ulong* slots, ulong slot)
    {
        for (var i = 0; i < SlotsPerBucket; i++)
        {
            if (slots[i] == slot)
            {
                Volatile.Write(ref slots[i], 0);
                return true;
            }
        }
        return false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong* BucketOf(ulong hash) => _buckets + (nuint)((uint)hash & _mask) * WordsPerBucket;

    // The low half of the hash chooses the bucket, the high half is the tag. An entry's number plus one: a slot of zero is empty.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool HasTag(ulong slot, ulong hash) => (uint)(slot >> 32) == (uint)(hash >> 32) && (uint)slot != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint EntryOf(ulong slot) => (uint)slot - 1;

    private static ulong SlotOf(ulong hash, int entry) => hash >> 32 << 32 | (uint)(entry + 1);
}
