using System.Globalization;

namespace CookieXdp.Dataplane.Tests;

/// <summary>The bounds of what is remembered of fragments, and their order within one batch.</summary>
public sealed unsafe class FragmentTests
{
    [Fact]
    public void No_more_than_sixty_four_fragments_follow_a_first_one()
    {
        using var rig = new Rig();
        rig.Establish();
        Assert.Equal(DropReason.None, Send(rig, First(5)));
        for (var i = 0; i < 64; i++)
            Assert.Equal(DropReason.None, Send(rig, Later(5, 24 + i * 8)));
        Assert.Equal(DropReason.BadFragment, Send(rig, Later(5, 24 + 64 * 8)));
    }

    [Fact]
    public void A_first_fragment_brings_no_lost_connection_back()
    {
        using var rig = new Rig();
        rig.Snapshot = rig.Snapshot with { RebuildFor = 100_000 };
        Assert.Equal(DropReason.NoFlow, Send(rig, First(5)));
        Assert.Equal(0, rig.Counters.Rebuilt);
        Assert.Equal(DropReason.None, rig.Send(new Packet { Source = Rig.Client, SourcePort = 40000, Destination = Rig.Mint(), Flags = TcpFlags.Ack, Sequence = 1001, Acknowledgment = 5001 }));
        Assert.Equal(1, rig.Counters.Rebuilt);
    }

    [Fact]
    public void Far_more_packets_than_the_table_holds_lose_the_oldest_ones_and_nothing_else()
    {
        using var rig = new Rig();
        rig.Establish();
        for (var id = 0; id < 20_000; id++)
        {
            Assert.Equal(DropReason.None, Send(rig, First(id)));
            Assert.Equal(DropReason.None, Send(rig, Later(id, 24)));
            if (id % 1000 == 999)
                rig.Uptime++;
        }
        var remembered = Enumerable.Range(0, 20_000).Count(id => Send(rig, Later(id, 32)) == DropReason.None);
        Assert.InRange(remembered, 512, 1024);
        rig.AssertEveryFrameIsAccountedFor();
    }

    [Theory]
    [InlineData("ip client > cookie | fragment {0} 24 | data *8")]
    [InlineData("ip 2001:db8:c:{1:x}::7 > cookie | fragment 5 24 | data *8")]
    [InlineData("ip 2001:db8:c::{1:x} > cookie | fragment 5 24 | data *8")]
    public void What_differs_in_identification_or_source_has_no_first_one_although_it_falls_into_the_same_bucket(string later)
    {
        using var rig = new Rig();
        rig.Establish();
        Assert.Equal(DropReason.None, Send(rig, First(5)));
        for (var i = 100; i < 5000; i++)
            Assert.Equal(DropReason.FragmentWithoutFirst, Send(rig, string.Format(CultureInfo.InvariantCulture, later, i, i)));
        Assert.Equal(DropReason.None, Send(rig, Later(5, 24)));
    }

    [Fact]
    public void In_one_batch_the_fragments_of_a_SYN_follow_it_and_those_before_it_do_not()
    {
        using var rig = new Rig();
        (string Text, DropReason Drop)[] rows =
        [
            ("ip client > cookie | fragment 5 24 more | data *8", DropReason.FragmentWithoutFirst),
            ("ip client > cookie | fragment 5 0 more | tcp 40000 > 25 S | data *4 | rest *16", DropReason.None),
            ("ip client > cookie | fragment 5 24 more | data *8", DropReason.None),
            ("ip client > false | fragment 5 24 more | data *8", DropReason.FalseCookie),
            ("ip client > cookie | fragment 5 32 | data *8", DropReason.None),
        ];
        var memory = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)rows.Length + 1, 2048);
        var frames = new Frame[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            var bytes = PathScriptTests.Text.Frame(rows[i].Text, Rig.UplinkMac, Rig.GatewayMac);
            frames[i] = new Frame { Data = memory + (i + 1) * 2048, Length = bytes.Length };
            bytes.CopyTo(new Span<byte>(frames[i].Data, bytes.Length));
        }
        rig.Send(frames);
        System.Runtime.InteropServices.NativeMemory.Free(memory);
        Assert.Equal(rows.Select(row => row.Drop), frames.Select(frame => frame.Drop));
    }

    [Fact]
    public void The_slow_path_allocates_nothing_either()
    {
        string[] texts =
        [
            "ip client > expired | tcp 40000 > 25 S", "ip client > cookie | echo request | data *50", "ip client > cookie hop 1 | tcp 40000 > 25 S",
            "ip client > cookie | fragment 5 0 more | tcp 40000 > 25 A | data *4 | rest *16", "ip client > cookie | fragment 5 24 more | data *8",
            "ip router > cookie | icmp 3 0 | quote all [ ip cookie > client | tcp 25 > 40000 A seq 5001 ack 1001 ]", "vlan 5 | ip client > cookie | destination | tcp 40000 > 25 A",
            "ip client > cookie | tcp 40000 > 25 A | data *1500", "mac 33:33:ff:00:00:01 02:00:00:00:00:0c | ip neighbour > group hop 255 | solicit cookie",
        ];
        using var rig = new Rig(withAnswers: true);
        rig.Snapshot = rig.Snapshot with { Prefixes = [rig.Rules(ExpiredAnswer.Reset, onLink: true)] };
        rig.Establish();
        var seeds = texts.Select(text => PathScriptTests.Text.Frame(text, Rig.UplinkMac, Rig.GatewayMac)).ToArray();
        var memory = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)seeds.Length + 1, 2048);
        var frames = new Frame[seeds.Length];
        long allocated = 0;
        for (var round = 0; round < 50; round++)
        {
            for (var i = 0; i < frames.Length; i++)
            {
                frames[i] = new Frame { Data = memory + (i + 1) * 2048, Length = seeds[i].Length };
                seeds[i].CopyTo(new Span<byte>(frames[i].Data, 2048));
            }
            rig.Uptime++;
            var before = GC.GetAllocatedBytesForCurrentThread();
            rig.Send(frames);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.All(frames, frame => Assert.Equal(DropReason.None, frame.Drop));
        }
        System.Runtime.InteropServices.NativeMemory.Free(memory);
        Assert.Equal(0, allocated);
    }

    private static string First(int id) => string.Create(CultureInfo.InvariantCulture, $"ip client > cookie | fragment {id} 0 more | tcp 40000 > 25 A seq 1001 ack 5001 | data *4 | rest *16");

    private static string Later(int id, int position) => string.Create(CultureInfo.InvariantCulture, $"ip client > cookie | fragment {id} {position} more | data *8");

    private static DropReason Send(Rig rig, string text) => rig.Exchange(PathScriptTests.Text.Frame(text, Rig.UplinkMac, Rig.GatewayMac), Side.Uplink).Drop;
}
