using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace CookieXdp.AfXdp;

/// <summary>
/// A ring that the kernel writes and this process reads: RX (descriptors) and completion (frame addresses). One owner; keep it
/// in one place and take it by <c>ref</c>, for it carries its own position. A batch goes: <see cref="Peek"/>, read entries
/// 0 … n−1 through the indexer, <see cref="Release"/>.
/// </summary>
/// <typeparam name="T"><see cref="XdpDescriptor"/> for an RX ring, <see cref="ulong"/> for a completion ring.</typeparam>
public unsafe struct ConsumerRing<T> where T : unmanaged
{
    private readonly T* _entries;
    private readonly uint* _producer;
    private readonly uint* _consumer;
    private readonly uint _size;
    private readonly uint _mask;
    private uint _position;
    private uint _limit;        // the last seen producer index

    internal ConsumerRing(uint* producer, uint* consumer, T* entries, uint size)
    {
        Debug.Assert(uint.IsPow2(size), "the kernel accepts powers of two only, and the mask depends on it");
        _producer = producer;
        _consumer = consumer;
        _entries = entries;
        _size = size;
        _mask = size - 1;
        _position = Volatile.Read(ref *consumer);
        _limit = _position;
    }

    /// <summary>How many entries the ring has.</summary>
    public readonly uint Size => _size;

    /// <summary>How many entries may be read now: <paramref name="wanted"/>, or fewer where the kernel has written no more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Peek(uint wanted)
    {
        var available = _limit - _position;
        if (available < wanted)
        {
            // The kernel's index lies in a cache line that it writes: looked at once a batch at most.
            _limit = Volatile.Read(ref *_producer);
            available = _limit - _position;
            Debug.Assert(available <= _size, "the kernel has written more than the ring holds");
        }
        return Math.Min(available, wanted);
    }

    /// <summary>An entry of the batch being read, from 0; only as many as <see cref="Peek"/> said.</summary>
    public readonly ref readonly T this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Debug.Assert(index < _limit - _position, "an entry beyond what Peek found is not written yet");
            return ref _entries[(_position + index) & _mask];
        }
    }

    /// <summary>Gives the first <paramref name="count"/> entries of the batch back to the kernel; they must not be read after.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Release(uint count)
    {
        Debug.Assert(count <= _limit - _position, "more is released than was peeked at");
        _position += count;
        Volatile.Write(ref *_consumer, _position);
    }
}
