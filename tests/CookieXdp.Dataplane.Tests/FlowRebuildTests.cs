using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>Connections that were open before this table began: taken over with the file, or rebuilt from their cookies.</summary>
public sealed class FlowRebuildTests : IDisposable
{
    private static readonly string _cookie = Rig.Mint();

    private Rig _rig = NewRig();

    public void Dispose() => _rig.Dispose();

    public static TheoryData<string, string, FlowState> Connections => new()
    {
        { "a segment of the client", ">A2001,6001+10", FlowState.HalfOpen },
        { "a segment of the client again and again", ">A2001,6001+10 >A2001,6001+10 >A2001,6001+10", FlowState.HalfOpen },
        { "both sides in window", ">A2001,6001+10 <A6001,2011 >A2011,6001", FlowState.Established },
        { "both sides in window, with data on its way", ">A2001,6001+10 <A6501,2001+500 >A2011,7001", FlowState.Established },
        { "both sides in window over the end of the numbers", ">A4294967290,4294967295+10 <A1,4294967290 >A4,1", FlowState.Established },
        { "a backend that speaks of other bytes of the client", ">A2001,6001+10 <A6001,3000000 >A2011,6001", FlowState.HalfOpen },
        { "a backend that sends other bytes", ">A2001,6001+10 <A3000000,2011 >A2011,6001", FlowState.HalfOpen },
        { "a client that finds out where the backend is", ">A2001,6001+10 <A3000000,2011 >A2011,3000000", FlowState.HalfOpen },
        { "and then both sides in window", ">A2001,6001+10 <A3000000,2011 >A2011,3000000 <A3000000,2011 >A2011,3000000", FlowState.Established },
        { "a backend's segment without an acknowledgment", ">A2001,6001+10 <F6001 >A2011,6001", FlowState.HalfOpen },
        { "a client that does not hear the backend", ">A2001,6001+10 <A6001,2011 >A2011,3000000", FlowState.HalfOpen },
        { "a client that sends other bytes than the backend expects", ">A2001,6001+10 <A6001,2011 >A3000000,6001", FlowState.HalfOpen },
        { "a backend that knows nothing of it", ">A2001,6001+10 <R6001", FlowState.Closing },
        { "a reset of the backend with another number", ">A2001,6001+10 <R6002", FlowState.HalfOpen },
        { "a FIN", ">FA2001,6001 <A6001,2002 >A2002,6001 <FA6001,2002", FlowState.Closing },
    };

    [Theory]
    [MemberData(nameof(Connections))]
    public void A_lost_connection_is_believed_once_both_sides_have_been_seen_in_window(string sentence, string segments, FlowState expected)
    {
        Assert.All(Talk.Send(_rig, _cookie, segments), fate => Assert.Equal(DropReason.None, fate));
        foreach (var state in new[] { FlowState.HalfOpen, FlowState.Established, FlowState.Closing })
            Assert.True(_rig.Flows.CountOf(state) == (state == expected ? 1 : 0), $"{sentence}: {expected} expected");
        Assert.Equal((1, 1), (_rig.Counters.Rebuilt, _rig.Counters.Accepted(fresh: true)));
    }

    [Theory]
    [InlineData(">A2001,6001", DropReason.None)]
    [InlineData(">FA2001,6001", DropReason.None)]
    [InlineData(">SA2001,6001", DropReason.NoFlow)]
    [InlineData(">R2001", DropReason.NoFlow)]
    [InlineData(">RA2001,6001", DropReason.NoFlow)]
    [InlineData(">F2001", DropReason.NoFlow)]
    [InlineData("<A6001,2001", DropReason.NoFlow)] // only who shows a cookie brings a connection back
    public void Only_a_segment_of_an_open_connection_brings_one_back(string segment, DropReason expected)
    {
        Assert.Equal([expected], Talk.Send(_rig, _cookie, segment));
        Assert.Equal(expected == DropReason.None ? 1 : 0, _rig.Flows.CountOf(FlowState.HalfOpen));
    }

    [Theory]
    [InlineData(600, 599, DropReason.None)]
    [InlineData(600, 600, DropReason.NoFlow)]
    [InlineData(0, 0, DropReason.NoFlow)]
    public void Only_a_new_table_takes_lost_connections_back(long rebuildFor, uint age, DropReason expected)
    {
        _rig.Snapshot = _rig.Snapshot with { RebuildFor = rebuildFor };
        _rig.Uptime = FlowFolder.Now + age;
        Assert.Equal([expected], Talk.Send(_rig, _cookie, ">A2001,6001"));
    }

    [Theory]
    [InlineData(4000, 25, DropReason.None)] // stale
    [InlineData(7300, 25, DropReason.Expired)]
    [InlineData(0, 26, DropReason.WrongPort)]
    [InlineData(-1, 25, DropReason.FalseCookie)]
    public void A_lost_connection_is_judged_as_a_new_one_would_be(long age, int port, DropReason expected)
    {
        var cookie = age < 0 ? "2001:db8:25:1234:5678:9abc:def0:1234" : Rig.Mint(age: age);
        Assert.Equal(expected, _rig.Send(new Packet { Destination = cookie, DestinationPort = port, Flags = TcpFlags.Ack }));
    }

    [Fact]
    public void What_would_be_refused_as_new_is_refused_as_lost_and_observing_lets_nothing_expired_back_in()
    {
        foreach (var observe in new[] { false, true })
        {
            _rig.Dispose();
            _rig = NewRig(Rig.Banning("192.0.2.53", "", observe));
            Assert.Equal([observe ? DropReason.None : DropReason.BannedResolver], Talk.Send(_rig, _cookie, ">A2001,6001"));
            Assert.Equal([DropReason.Expired], Talk.Send(_rig, Rig.Mint("198.51.100.1", age: 7300), ">A2001,6001"));
        }
    }

    [Fact]
    public void A_lost_connection_gets_no_other_port_for_the_backend_knows_only_its_own()
    {
        var other = Rig.Mint("198.51.100.1");
        foreach (var (segment, state) in new[] { (">S1000", FlowState.HalfOpen), ("<SA5000,1001", FlowState.HalfOpen), (">A1001,5001", FlowState.Established) })
        {
            Talk.Send(_rig, _cookie, segment);
            Assert.Equal([DropReason.ClientPortInUse], Talk.Send(_rig, other, ">A2001,6001"));
            Assert.Equal(1, _rig.Flows.CountOf(state));
        }
        Assert.Equal(0, _rig.Counters.Rebuilt);
    }

    [Fact]
    public void Connections_go_on_where_a_killed_engine_has_left_them()
    {
        using var folder = new FlowFolder();
        var other = Rig.Mint("198.51.100.1");
        var otherPort = 0;
        using (var first = new Rig(table: folder.TakeOver().Table))
        {
            first.Establish(_cookie);
            // And one whose client has another port towards the backend.
            var syn = new Packet { Destination = other }.ToBytes();
            Assert.Equal(DropReason.None, first.Send(syn));
            otherPort = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(syn.AsSpan(54));
        }
        Assert.NotEqual(40000, otherPort);

        using var rig = new Rig(table: folder.TakeOver().Table);
        Assert.Equal((1, 1), (rig.Flows.CountOf(FlowState.Established), rig.Flows.CountOf(FlowState.HalfOpen)));
        var data = new Packet { Destination = _cookie, Flags = TcpFlags.Ack, Sequence = 1001, Acknowledgment = 5001, Payload = [1, 2] };
        var frame = data.ToBytes();
        Assert.Equal(DropReason.None, rig.Send(frame));
        Assert.Equal((data with { Destination = Rig.Backend, DestinationPort = 2525, HopLimit = 63, DestinationMac = "02:00:00:00:00:bb", SourceMac = "02:00:00:00:00:aa" }).ToBytes(), frame);
        var reply = Rig.Reply(otherPort) with { Flags = TcpFlags.Syn | TcpFlags.Ack };
        frame = reply.ToBytes();
        Assert.Equal(DropReason.None, rig.Send(frame, Side.Inside));
        Assert.Equal((reply with { Source = other, SourcePort = 25, DestinationPort = 40000, HopLimit = 63, DestinationMac = "02:00:00:00:00:0c", SourceMac = "02:00:00:00:00:0e" }).ToBytes(), frame);
        // Resets are judged by what was seen before.
        Talk.Send(rig, _cookie, ">R1002");
        Assert.Equal(1, rig.Flows.CountOf(FlowState.Established));
        Talk.Send(rig, _cookie, ">R1003");
        Assert.Equal(0, rig.Flows.CountOf(FlowState.Established));
    }

    [Fact]
    public void A_flows_backend_is_known_by_its_address_wherever_it_stands_in_the_configuration_and_gone_when_it_is_gone()
    {
        var client = _rig.Establish();
        var mine = _rig.Snapshot.Backends[0];
        var another = new Backend(BackendAddress.From(System.Net.IPAddress.Parse("fd00:25::99").GetAddressBytes(), 2525), mine.NextHop);
        var otherPort = mine with { Address = mine.Address with { Port = 7 } };
        foreach (var (backends, expected) in new (Backend[], DropReason)[]
        {
            ([another, mine], DropReason.None),
            ([another, another, mine], DropReason.None),
            ([mine], DropReason.None),
            ([another, otherPort], DropReason.None), // the flow keeps its port
            ([another], DropReason.NeighbourUnresolved),
            ([], DropReason.NeighbourUnresolved),
            ([mine], DropReason.None),
        })
        {
            _rig.Snapshot = _rig.Snapshot with { Backends = backends };
            var frame = client.ToBytes();
            Assert.Equal(expected, _rig.Send(frame));
            if (expected == DropReason.None)
                Assert.Equal((client with { Destination = Rig.Backend, DestinationPort = 2525, HopLimit = 63, DestinationMac = "02:00:00:00:00:bb", SourceMac = "02:00:00:00:00:aa" }).ToBytes(), frame);
        }
        Assert.Equal(2, _rig.Counters.Dropped(DropReason.NeighbourUnresolved));
    }

    private static Rig NewRig(PolicyRules? policy = null)
    {
        var rig = new Rig(policy: policy, table: new FlowTable(64, FlowFolder.Now)) { Uptime = FlowFolder.Now };
        rig.Snapshot = rig.Snapshot with { RebuildFor = 600 };
        return rig;
    }
}
