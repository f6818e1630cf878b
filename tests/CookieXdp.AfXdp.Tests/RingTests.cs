using System.Runtime.InteropServices;
using CsCheck;

namespace CookieXdp.AfXdp.Tests;

/// <summary>Ring arithmetic over plain memory, with the test in the kernel's place.</summary>
public sealed unsafe class RingTests : IDisposable
{
    private const uint Size = 8;
    private readonly uint* _indexes = (uint*)NativeMemory.AllocZeroed(3, sizeof(uint));
    private readonly ulong* _entries = (ulong*)NativeMemory.AllocZeroed(Size, sizeof(ulong));

    private ref uint Producer => ref _indexes[0];

    private ref uint Consumer => ref _indexes[1];

    private ProducerRing<ulong> NewProducer() => new(_indexes, _indexes + 1, _indexes + 2, _entries, Size);

    private ConsumerRing<ulong> NewConsumer() => new(_indexes, _indexes + 1, _entries, Size);

    public void Dispose()
    {
        NativeMemory.Free(_indexes);
        NativeMemory.Free(_entries);
    }

    [Fact]
    public void An_empty_producer_ring_has_room_for_all_and_no_more()
    {
        var ring = NewProducer();
        Assert.Equal(Size, ring.Reserve(Size));
        Assert.Equal(Size, ring.Reserve(Size + 1));
        ring.Submit(Size);
        Assert.Equal(0u, ring.Reserve(1));
        Assert.Equal(Size, ring.Pending);
        Consumer = 3;
        Assert.Equal(3u, ring.Reserve(Size));
        Assert.Equal(Size - 3, ring.Pending);
    }

    [Fact]
    public void What_is_reserved_and_not_submitted_stays_invisible_to_the_kernel()
    {
        var ring = NewProducer();
        ring.Reserve(4);
        ring[0] = 7;
        Assert.Equal(0u, Producer);
        ring.Submit(1);
        Assert.Equal(1u, Producer);
    }

    [Fact]
    public void A_consumer_ring_shows_what_the_kernel_wrote_until_it_is_released()
    {
        var ring = NewConsumer();
        Assert.Equal(0u, ring.Peek(4));
        _entries[0] = 11;
        _entries[1] = 12;
        Producer = 2;
        Assert.Equal(2u, ring.Peek(4));
        Assert.Equal(11u, ring[0]);
        Assert.Equal(12u, ring[1]);
        Assert.Equal(0u, Consumer);
        ring.Release(1);
        Assert.Equal(1u, Consumer);
        Assert.Equal(12u, ring[0]);
        Assert.Equal(1u, ring.Peek(4));
    }

    [Fact]
    public void A_peek_for_less_than_is_there_takes_no_more() =>
        Assert.Equal(2u, Peeked(produced: 5, wanted: 2));

    [Fact]
    public void A_ring_found_in_use_goes_on_where_its_indexes_are()
    {
        Producer = uint.MaxValue;
        Consumer = uint.MaxValue - 2;
        var ring = NewProducer();
        Assert.Equal(2u, ring.Pending);
        Assert.Equal(Size - 2, ring.Reserve(Size));
    }

    [Fact]
    public void The_wakeup_flag_is_read_from_the_kernel_each_time()
    {
        var ring = NewProducer();
        Assert.False(ring.NeedsWakeup);
        _indexes[2] = 1;
        Assert.True(ring.NeedsWakeup);
        _indexes[2] = 2;
        Assert.False(ring.NeedsWakeup);
    }

    /// <summary>Random batches through one ring from both sides, indexes starting anywhere, also just before they wrap around.</summary>
    [Fact]
    public void Everything_that_goes_in_comes_out_once_and_in_order_whatever_the_batches() =>
        Gen.Select(Gen.UInt, Gen.UInt[0, 12].Array[0, 200], Gen.Bool).Sample((start, batches, nearWrap) =>
        {
            if (nearWrap)
                start = uint.MaxValue - (start % (2 * Size));
            Producer = Consumer = start;
            var producer = NewProducer();
            var consumer = NewConsumer();
            ulong next = 0, expected = 0;
            for (var i = 0; i < batches.Length; i++)
            {
                if (i % 2 == 0)
                {
                    var room = producer.Reserve(batches[i]);
                    Assert.Equal(Math.Min(batches[i], Size - (uint)(next - expected)), room);
                    for (uint k = 0; k < room; k++)
                        producer[k] = next++;
                    producer.Submit(room);
                }
                else
                {
                    var count = consumer.Peek(batches[i]);
                    Assert.Equal(Math.Min(batches[i], (uint)(next - expected)), count);
                    for (uint k = 0; k < count; k++)
                        Assert.Equal(expected++, consumer[k]);
                    consumer.Release(count);
                }
            }
        }, threads: 1);

    private uint Peeked(uint produced, uint wanted)
    {
        Producer = produced;
        var ring = NewConsumer();
        return ring.Peek(wanted);
    }
}
