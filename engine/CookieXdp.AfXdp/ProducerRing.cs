using System.Diagnostics;
using System.Runtime.CompilerServices;
using CookieXdp.AfXdp.Native;

namespace CookieXdp.AfXdp;

/// <summary>
/// A ring that this process writes and the kernel reads: fill (frame addresses) and TX (descriptors). One owner; keep it in one
/// place and take it by <c>ref</c>, for it carries its own position. A batch goes: <see cref="Reserve"/>, write entries 0 … n−1
/// through the indexer, <see cref="Submit"/>.
/// </summary>
/// <typeparam name="T"><see cref="ulong"/> for a fill ring, <see cref="XdpDescriptor"/> for a TX ring.</typeparam>
public unsafe struct ProducerRing<T> where T : unmanaged
{
    private readonly T* _entries;
    private readonly uint* _producer;
    private readonly uint* _consumer;
    private readonly uint* _flags;
    private readonly uint _size;
    private readonly uint _mask;
    private uint _position;
    private uint _limit;        // where the last seen consumer index lets this side write to: consumer + size

    internal ProducerRing(uint* producer, uint* consumer, uint* flags, T* entries, uint size)
    {
        Debug.Assert(uint.IsPow2(size), "the kernel accepts powers of two only, and the mask depends on it");
        _producer = producer;
        _consumer = consumer;
        _flags = flags;
        _entries = entries;
        _size = size;
        _mask = size - 1;
        _position = Volatile.Read(ref *producer);
        _limit = Volatile.Read(ref *consumer) + size;
    }

    /// <summary>How many entries the ring has.</summary>
    public readonly uint Size => _size;

    /// <summary>Entries submitted that the kernel has not taken yet.</summary>
    public readonly uint Pending => _position - Volatile.Read(ref *_consumer);

    /// <summary>Whether the kernel sleeps and must be woken for this ring (XDP_RING_NEED_WAKEUP).</summary>
    public readonly bool NeedsWakeup => (Volatile.Read(ref *_flags) & XdpAbi.RingNeedWakeup) != 0;

    /// <summary>How many entries may be written now: <paramref name="wanted"/>, or fewer where the ring has no room for more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Reserve(uint wanted)
    {
        var free = _limit - _position;
        if (free < wanted)
        {
            // The kernel's index lies in a cache line that it writes: looked at only when what is known does not suffice.
            _limit = Volatile.Read(ref *_consumer) + _size;
            free = _limit - _position;
        }
        return Math.Min(free, wanted);
    }

    /// <summary>An entry of the batch being written, from 0; only as many as <see cref="Reserve"/> said.</summary>
    public readonly ref T this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Debug.Assert(index < _limit - _position, "an entry that was not reserved belongs to the kernel");
            return ref _entries[(_position + index) & _mask];
        }
    }

    /// <summary>Hands the first <paramref name="count"/> entries of the batch to the kernel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Submit(uint count)
    {
        Debug.Assert(count <= _limit - _position, "more is submitted than was reserved");
        _position += count;
        Volatile.Write(ref *_producer, _position);
    }
}
