using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// Room for one frame that ends at a page which nobody may touch: a read or write past a frame's end kills the test program. In front of it
/// lie the headroom that the path may use, and bytes that it must leave alone.
/// </summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int Page = 4096;
    private const int Room = 16 * Page;
    private const byte Canary = 0xA5;
    private const int CanaryLength = 64;

    private readonly byte* _memory;
    private readonly byte* _end;

    public GuardedMemory()
    {
        _memory = (byte*)Map(null, Room + 2 * Page, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
        if (_memory == (byte*)-1)
            throw new InvalidOperationException("no memory");
        _end = _memory + Page + Room;
        if (Protect(_memory, Page, 0) != 0 || Protect(_end, Page, 0) != 0)
            throw new InvalidOperationException("no guard page");
    }

    /// <summary>Puts a frame right before the guard page, its headroom filled with what nobody may take for anything.</summary>
    public byte* Place(ReadOnlySpan<byte> frame)
    {
        var data = _end - frame.Length;
        new Span<byte>(data - Frame.RequiredHeadroom - CanaryLength, Frame.RequiredHeadroom + CanaryLength).Fill(Canary);
        frame.CopyTo(new Span<byte>(data, frame.Length));
        return data;
    }

    /// <summary>Whether the bytes before the headroom of a placed frame are as they were.</summary>
    public bool IsUntouchedBefore(byte* placed) => !new ReadOnlySpan<byte>(placed - Frame.RequiredHeadroom - CanaryLength, CanaryLength).ContainsAnyExcept(Canary);

    /// <summary>Whether bytes lie where the path may have a frame.</summary>
    public bool Contains(byte* placed, byte* data, int length) => data >= placed - Frame.RequiredHeadroom && length >= 0 && data + length <= _end;

    public void Dispose() => _ = Unmap(_memory, Room + 2 * Page);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nint length);
}
