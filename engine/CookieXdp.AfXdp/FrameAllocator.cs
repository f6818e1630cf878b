using System.Diagnostics;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CookieXdp.AfXdp;

/// <summary>
/// The free frames of a UMEM, or of a part of it: a stack of frame addresses in native memory, so that the frame used last, the
/// one most likely in the cache, is used next. One owner, no locks. A frame has one owner at a time: this stack, a ring, or the code in between.
/// </summary>
public sealed unsafe class FrameAllocator : IDisposable
{
    private readonly ulong _first;
    private readonly ulong _frameMask;
    private readonly int _frameShift;
    private ulong* _free;
    private byte* _isFree;      // debug builds: one byte a frame, to catch a frame with two owners

    /// <summary>Owns all frames of a UMEM.</summary>
    public FrameAllocator(Umem umem) : this(umem, 0, (umem ?? throw new ArgumentNullException(nameof(umem))).FrameCount)
    {
    }

    /// <summary>Owns a run of frames of a UMEM, so that several workers can share one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The run does not lie within the UMEM.</exception>
    public FrameAllocator(Umem umem, int firstFrame, int frameCount)
    {
        ArgumentNullException.ThrowIfNull(umem);
        ArgumentOutOfRangeException.ThrowIfNegative(firstFrame);
        ArgumentOutOfRangeException.ThrowIfNegative(frameCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameCount, umem.FrameCount - firstFrame);
        Capacity = frameCount;
        _frameShift = BitOperations.Log2((uint)umem.FrameSize);
        _frameMask = ~((ulong)umem.FrameSize - 1);
        _first = (ulong)firstFrame << _frameShift;
        _free = (ulong*)NativeMemory.Alloc((nuint)Math.Max(1, frameCount), sizeof(ulong));
        // Highest first, so that frames are handed out from the start of the UMEM.
        for (var i = frameCount - 1; i >= 0; i--)
            _free[Available++] = _first + ((ulong)i << _frameShift);
#if DEBUG
        _isFree = (byte*)NativeMemory.Alloc((nuint)Math.Max(1, frameCount));
        NativeMemory.Fill(_isFree, (nuint)frameCount, 1);
#endif
    }

    /// <summary>How many frames there are in all.</summary>
    public int Capacity { get; }

    /// <summary>How many frames are free.</summary>
    public int Available { get; private set; }

    /// <summary>Takes one frame; false where none is free.</summary>
    /// <param name="address">The start of the frame, as an offset into the UMEM.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRent(out ulong address)
    {
        if (Available == 0)
        {
            address = 0;
            return false;
        }
        address = _free[--Available];
        MarkRented(address);
        return true;
    }

    /// <summary>Gives a frame back.</summary>
    /// <param name="address">Any address within the frame: a received packet starts some way into it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Return(ulong address)
    {
        address &= _frameMask;
        MarkFree(address);
        _free[Available++] = address;
    }

    /// <summary>Moves free frames into a fill ring: as many as <paramref name="count"/>, the ring and the stack allow. Returns how many.</summary>
    public uint Refill(ref ProducerRing<ulong> fill, uint count)
    {
        count = fill.Reserve(Math.Min(count, (uint)Available));
        for (uint i = 0; i < count; i++)
        {
            var address = _free[--Available];
            MarkRented(address);
            fill[i] = address;
        }
        if (count > 0)
            fill.Submit(count);
        return count;
    }

    /// <summary>Takes transmitted frames back from a completion ring, at most <paramref name="count"/>. Returns how many.</summary>
    public uint Reclaim(ref ConsumerRing<ulong> completion, uint count)
    {
        count = completion.Peek(count);
        for (uint i = 0; i < count; i++)
            Return(completion[i]);
        if (count > 0)
            completion.Release(count);
        return count;
    }

    /// <summary>Frees the stack; the frames themselves belong to the UMEM.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_free);
        NativeMemory.Free(_isFree);
        _free = null;
        _isFree = null;
        Available = 0;
    }

    [Conditional("DEBUG")]
    private void MarkRented(ulong address) => _isFree[Index(address)] = 0;

    [Conditional("DEBUG")]
    private void MarkFree(ulong address)
    {
        var index = Index(address);
        Debug.Assert(_isFree[index] == 0, $"frame at {address} is given back twice");
        Debug.Assert(Available < Capacity, "more frames come back than went out");
        _isFree[index] = 1;
    }

    private int Index(ulong address)
    {
        var index = (address - _first) >> _frameShift;
        Debug.Assert(index < (ulong)Capacity, $"frame at {address} is not one of this stack's");
        return (int)index;
    }
}
