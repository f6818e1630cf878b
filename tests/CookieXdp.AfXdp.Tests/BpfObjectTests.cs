using CookieXdp.AfXdp.Tests.Support;

namespace CookieXdp.AfXdp.Tests;

public sealed class BpfObjectTests
{
    [Fact]
    public void A_program_the_verifier_rejects_fails_with_the_verifiers_words()
    {
        using var bpf = BpfObject.Open(CompiledBpf.Compile(CompiledBpf.TestSource("unchecked.bpf.c")), "unchecked.bpf.o");
        var failure = Assert.Throws<XdpException>(bpf.Load);
        Assert.Contains("unchecked.bpf.o", failure.Message, StringComparison.Ordinal);
        Assert.Contains("invalid access to packet", failure.Message, StringComparison.Ordinal);
        Assert.True(failure.Message.Length < 10_000, "a message is to be read");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(5000)]
    public void Bytes_that_are_no_object_are_refused_and_end_nothing(int length)
    {
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        var failure = Assert.Throws<XdpException>(() => BpfObject.Open(bytes, "junk"));
        Assert.Contains("BPF object junk", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("Unknown error", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_truncated_object_is_refused_and_ends_nothing()
    {
        for (var length = 64; length < CompiledBpf.Redirect.Length; length += 997)
        {
            Assert.Throws<XdpException>(() =>
            {
                using var bpf = BpfObject.Open(CompiledBpf.Redirect.AsSpan(0, length), "half");
                bpf.Load();
                bpf.Program("redirect");
            });
        }
    }

    [Fact]
    public void Maps_have_the_size_set_before_loading_and_hold_what_is_put_in()
    {
        using var bpf = BpfObject.Open(CompiledBpf.CookieXdp, "cookiexdp.bpf.o");
        bpf.SetMaxEntries("backends", 3);
        bpf.Load();
        var map = bpf.Map("backends");
        Assert.Equal((20, 4, 3), (map.KeySize, map.ValueSize, map.MaxEntries));
        var key = new byte[20];
        var value = new byte[4];
        Assert.False(map.TryLookup(key, value));
        Assert.False(map.Delete(key));
        map.Update(key, [1, 2, 3, 4]);
        Assert.True(map.TryLookup(key, value));
        Assert.Equal([1, 2, 3, 4], value);
        Assert.True(map.Delete(key));

        var failure = Assert.Throws<XdpException>(() =>
        {
            for (byte i = 0; i < 200; i++)
            {
                key[0] = i;
                map.Update(key, value);
            }
        });
        Assert.Contains("backends", failure.Message, StringComparison.Ordinal);
        Assert.Contains("3 keys", failure.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => map.Update(new byte[19], value));
        Assert.Throws<ArgumentException>(() => map.Update(key, new byte[8]));
        Assert.Throws<ArgumentException>(() => map.TryLookup(key, new byte[3]));
        Assert.Throws<InvalidOperationException>(() => map.SumPerCpu(0));
    }

    [Fact]
    public void Names_that_are_not_there_are_told()
    {
        using var bpf = BpfObject.Open(CompiledBpf.Redirect, "redirect.bpf.o");
        Assert.Contains("nomap", Assert.Throws<XdpException>(() => bpf.SetMaxEntries("nomap", 1)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => bpf.Map("sockets"));
        bpf.Load();
        Assert.Contains("nomap", Assert.Throws<XdpException>(() => bpf.Map("nomap")).Message, StringComparison.Ordinal);
        Assert.Contains("noprogram", Assert.Throws<XdpException>(() => bpf.Program("noprogram")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_map_that_is_still_read_while_its_object_closes_throws_and_reads_nothing_else()
    {
        var bpf = BpfObject.Open(CompiledBpf.Redirect, "redirect.bpf.o");
        bpf.Load();
        var counts = bpf.Map("counts");
        Assert.Equal(0ul, counts.SumPerCpu(0));
        bpf.Dispose();
        bpf.Dispose();
        Assert.Throws<ObjectDisposedException>(() => counts.SumPerCpu(0));
        Assert.Throws<ObjectDisposedException>(() => bpf.Map("sockets"));
    }
}
