using System.Diagnostics;
using System.Runtime.CompilerServices;
using CookieXdp.AfXdp.Native;

namespace CookieXdp.AfXdp;

/// <summary>
/// The memory that AF_XDP sockets and this process share: frames of equal size, faulted in and, if the limits allow, locked.
/// The first <see cref="XdpSocket"/> opened on it registers it with the kernel; later ones share it. One thread at a time opens and disposes sockets
/// on it; the frames belong to whoever has their addresses.
/// </summary>
public sealed unsafe class Umem : IDisposable
{
    /// <summary>Bytes that the kernel leaves free before every received packet (XDP_PACKET_HEADROOM).</summary>
    public const int KernelHeadroom = 256;

    private readonly List<XdpSocket> _sockets = [];
    private byte* _memory;
    private bool _isDisposed;

    /// <summary>Maps the memory.</summary>
    /// <param name="frameCount">Frames needed: see <see cref="XdpSocketOptions.FramesNeeded"/>, summed over the sockets.</param>
    /// <param name="frameSize">Bytes of a frame: 2048 or 4096, the sizes the kernel accepts on a page of 4096 bytes.</param>
    /// <param name="headroom">Bytes left free before a received packet, besides the kernel's own 256.</param>
    /// <exception cref="XdpException">There is not that much memory.</exception>
    public Umem(int frameCount, int frameSize = 4096, int headroom = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(frameCount);
        if (frameSize is not (2048 or 4096))
            throw new ArgumentOutOfRangeException(nameof(frameSize), frameSize, "a frame has 2048 or 4096 bytes");
        ArgumentOutOfRangeException.ThrowIfNegative(headroom);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(headroom, frameSize / 2);
        FrameCount = frameCount;
        FrameSize = frameSize;
        Headroom = headroom;
        Length = (ulong)frameCount * (ulong)frameSize;
        _memory = SystemCalls.MapMemory(Length, out var error);
        if (_memory == null)
            throw XdpException.Of($"UMEM of {frameCount} frames of {frameSize} bytes", error, "Give it fewer frames or the machine more memory");
        IsLocked = SystemCalls.LockMemory(_memory, Length) == 0;
    }

    /// <summary>Its first byte.</summary>
    public byte* Memory => _memory;

    /// <summary>Bytes in all.</summary>
    public ulong Length { get; }

    /// <summary>Frames in all.</summary>
    public int FrameCount { get; }

    /// <summary>Bytes of a frame, a power of two.</summary>
    public int FrameSize { get; }

    /// <summary>Bytes left free before a received packet, besides the kernel's own 256.</summary>
    public int Headroom { get; }

    /// <summary>Whether the memory is locked, so that it is never written to swap. It is not where RLIMIT_MEMLOCK forbids it.</summary>
    public bool IsLocked { get; }

    /// <summary>A packet's first byte.</summary>
    /// <param name="address">An offset into the UMEM, as descriptors carry it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte* At(ulong address)
    {
        Debug.Assert(address < Length, "an address beyond the UMEM");
        return _memory + address;
    }

    /// <summary>Where a byte of the UMEM is, as descriptors carry it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong AddressOf(byte* data)
    {
        Debug.Assert(data >= _memory && data < _memory + Length, "a byte outside of the UMEM");
        return (ulong)(data - _memory);
    }

    /// <summary>A packet's bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The descriptor does not lie within the UMEM.</exception>
    public Span<byte> Packet(in XdpDescriptor descriptor)
    {
        if (descriptor.Address >= Length || descriptor.Length > Length - descriptor.Address)
            throw new ArgumentOutOfRangeException(nameof(descriptor), $"{descriptor.Length} bytes at {descriptor.Address} in a UMEM of {Length}");
        return new(_memory + descriptor.Address, (int)descriptor.Length);
    }

    /// <summary>The start of the frame in which an address lies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong FrameOf(ulong address) => address & ~((ulong)FrameSize - 1);

    /// <summary>Unmaps the memory, or has the last socket on it do so: a socket's packets stay readable until it is disposed.</summary>
    public void Dispose()
    {
        _isDisposed = true;
        UnmapIfUnused();
    }

    /// <summary>A socket through which others can share it, or none where nobody has registered it yet.</summary>
    internal XdpSocket? Registrant => _sockets.Count > 0 ? _sockets[0] : null;

    internal void Add(XdpSocket socket) => _sockets.Add(socket);

    internal void Remove(XdpSocket socket)
    {
        _sockets.Remove(socket);
        if (_isDisposed)
            UnmapIfUnused();
    }

    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_isDisposed, this);

    private void UnmapIfUnused()
    {
        if (_sockets.Count > 0 || _memory == null)
            return;
        SystemCalls.Unmap(_memory, Length);
        _memory = null;
    }
}
