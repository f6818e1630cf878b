using CookieXdp.AfXdp.Native;

namespace CookieXdp.AfXdp;

/// <summary>The memory of one ring, mapped from a socket, where XDP_MMAP_OFFSETS says its parts are.</summary>
internal readonly unsafe struct XdpRingMap
{
    private readonly byte* _memory;
    private readonly ulong _length;
    private readonly XdpRingOffset _offset;
    private readonly uint _size;

    internal XdpRingMap(int fd, in XdpRingOffset offset, int size, int entrySize, ulong pageOffset, out int error)
    {
        _offset = offset;
        _size = (uint)size;
        _length = offset.Descriptors + (ulong)size * (ulong)entrySize;
        _memory = SystemCalls.MapRing(fd, _length, pageOffset, out error);
    }

    internal ProducerRing<T> Producer<T>() where T : unmanaged =>
        new((uint*)(_memory + _offset.Producer), (uint*)(_memory + _offset.Consumer), (uint*)(_memory + _offset.Flags),
            (T*)(_memory + _offset.Descriptors), _size);

    internal ConsumerRing<T> Consumer<T>() where T : unmanaged =>
        new((uint*)(_memory + _offset.Producer), (uint*)(_memory + _offset.Consumer), (T*)(_memory + _offset.Descriptors), _size);

    internal void Unmap()
    {
        if (_memory != null)
            SystemCalls.Unmap(_memory, _length);
    }
}
