using System.Runtime.InteropServices;
using CookieXdp.Dataplane.Flows;
using CsCheck;

namespace CookieXdp.Dataplane.Tests;

/// <summary>The index with hashes that fall together as no keyed hash would let them.</summary>
public sealed unsafe class FlowIndexTests
{
    private const int Entries = 28; // half of the slots of the smallest index

    [Fact]
    public void It_finds_what_was_added_whichever_buckets_overflow_and_forgets_it_without_a_trace() =>
        Gen.Select(Gen.Int[0, Entries - 1], Gen.Int[1, 8]).Array[0, 300].Sample(operations =>
        {
            var flows = (Flow*)NativeMemory.AllocZeroed(Entries, Flow.Length);
            using var index = new FlowIndex(flows, 14);
            var there = new bool[Entries];
            // Few buckets, and tags that are the same for several entries.
            var buckets = operations.Length == 0 ? 1 : operations[0].Item2;
            for (var entry = 0; entry < Entries; entry++)
                flows[entry].ClientLow = (ulong)entry;
            foreach (var (entry, _) in operations)
            {
                if (there[entry])
                    index.Remove(HashOf(entry), entry);
                else
                    index.Add(HashOf(entry), entry);
                there[entry] = !there[entry];
                for (var other = 0; other < Entries; other++)
                    Assert.True(index.FindByClient(new FlowKey(0, (ulong)other, 0, 0, 0), HashOf(other)) == (there[other] ? flows + other : null));
            }
            for (var entry = 0; entry < Entries; entry++)
            {
                if (there[entry])
                    index.Remove(HashOf(entry), entry);
            }
            Assert.True(index.IsEmpty);
            NativeMemory.Free(flows);

            ulong HashOf(int entry) => (ulong)(entry % 3) << 32 | (uint)(entry % buckets);
        }, iter: 2000);
}
