namespace CookieXdp.AfXdp.Tests;

public sealed class FrameAllocatorTests
{
    [Fact]
    public void Every_frame_is_handed_out_once_and_then_none()
    {
        using var umem = new Umem(32);
        using var frames = new FrameAllocator(umem);
        var seen = new HashSet<ulong>();
        while (frames.TryRent(out var address))
        {
            Assert.Equal(umem.FrameOf(address), address);
            Assert.True(seen.Add(address));
        }
        Assert.Equal(32, seen.Count);
        Assert.Equal(0, frames.Available);
        Assert.Equal(31UL * 4096, seen.Max());
    }

    [Fact]
    public void A_frame_comes_back_whatever_address_within_it_is_given()
    {
        using var umem = new Umem(4, frameSize: 2048);
        using var frames = new FrameAllocator(umem);
        Assert.True(frames.TryRent(out var address));
        frames.Return(address + 256 + 14);
        Assert.True(frames.TryRent(out var again));
        Assert.Equal(address, again);
    }

    [Fact]
    public void Two_parts_of_one_umem_do_not_overlap()
    {
        using var umem = new Umem(10);
        using var first = new FrameAllocator(umem, 0, 4);
        using var second = new FrameAllocator(umem, 4, 6);
        var seen = new HashSet<ulong>();
        foreach (var part in new[] { first, second })
            while (part.TryRent(out var address))
                Assert.True(seen.Add(address));
        Assert.Equal(10, seen.Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => new FrameAllocator(umem, 5, 6));
    }

    [Fact]
    public void The_umem_is_zero_writable_and_checks_descriptors()
    {
        using var umem = new Umem(4);
        var packet = umem.Packet(new() { Address = 4096 + 256, Length = 60 });
        Assert.True(packet.IndexOfAnyExcept((byte)0) < 0);
        packet.Fill(1);
        Assert.Throws<ArgumentOutOfRangeException>(() => umem.Packet(new() { Address = 4 * 4096, Length = 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => umem.Packet(new() { Address = (4 * 4096) - 10, Length = 11 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => umem.Packet(new() { Address = ulong.MaxValue, Length = uint.MaxValue }));
    }

    [Fact]
    public void A_umem_that_no_machine_has_is_refused_in_words()
    {
        var failure = Assert.Throws<XdpException>(() => new Umem(int.MaxValue));
        Assert.Contains("2147483647 frames of 4096 bytes", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData(1024)]
    [InlineData(8192)]
    public void A_frame_size_the_kernel_would_refuse_is_refused_before(int size) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Umem(4, size));

#if DEBUG
    /// <summary>Debug builds only: the assertion would end a process, so that it is asked through a listener that throws.</summary>
    [Fact]
    public void A_frame_given_back_twice_is_noticed_in_debug_builds()
    {
        using var umem = new Umem(4);
        using var frames = new FrameAllocator(umem);
        frames.TryRent(out _);
        frames.TryRent(out var address);
        frames.Return(address);
        var listeners = System.Diagnostics.Trace.Listeners.Cast<System.Diagnostics.TraceListener>().ToArray();
        System.Diagnostics.Trace.Listeners.Clear();
        System.Diagnostics.Trace.Listeners.Add(new ThrowingListener());
        try
        {
            Assert.Contains("twice", Assert.Throws<InvalidOperationException>(() => frames.Return(address)).Message, StringComparison.Ordinal);
        }
        finally
        {
            System.Diagnostics.Trace.Listeners.Clear();
            System.Diagnostics.Trace.Listeners.AddRange(listeners);
        }
    }

    private sealed class ThrowingListener : System.Diagnostics.TraceListener
    {
        public override void Fail(string? message, string? detailMessage) => throw new InvalidOperationException(message);

        public override void Write(string? message)
        {
        }

        public override void WriteLine(string? message)
        {
        }
    }
#endif
}
