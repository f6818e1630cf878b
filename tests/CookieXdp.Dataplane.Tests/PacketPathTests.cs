using CookieXdp.Dataplane.Flows;
using CsCheck;

namespace CookieXdp.Dataplane.Tests;

/// <summary>What becomes of a packet: tables of packet in, packet out and verdict.</summary>
public sealed class PacketPathTests : IDisposable
{
    private static readonly string _cookie = Rig.Mint();

    private readonly Rig _rig = new();

    public void Dispose() => _rig.Dispose();

    /// <summary>One packet that goes no further: a sentence, the packet, the side, the reason.</summary>
    public static TheoryData<string, string, DropReason> Refused => new()
    {
        { "a random address of the prefix", "random", DropReason.FalseCookie },
        { "a cookie with one bit changed", "altered", DropReason.FalseCookie },
        { "an address outside of every prefix", "outside", DropReason.FalseCookie },
        { "a genuine cookie of a service that is not configured", "unknown service", DropReason.UnknownService },
        { "a genuine cookie, but for another port", "wrong port", DropReason.WrongPort },
        { "a genuine cookie that is older than staleFor", "expired", DropReason.Expired },
        { "an ACK to a genuine cookie without a flow", "ack", DropReason.NoFlow },
        { "an ACK to a false cookie", "ack false", DropReason.FalseCookie },
        { "a RST to a genuine cookie without a flow", "rst", DropReason.NoFlow },
        { "a SYN/ACK to a genuine cookie without a flow", "syn ack", DropReason.NoFlow },
        { "a hop limit that ends here", "hop limit", DropReason.HopLimit },
        { "SYN and FIN together", "syn fin", DropReason.BadTcpHeader },
        { "no flag at all", "no flags", DropReason.BadTcpHeader },
        { "a multicast source", "multicast", DropReason.BadSource },
        { "the loopback as source", "loopback", DropReason.BadSource },
        { "a link-local source", "link-local", DropReason.BadSource },
        { "an IPv4-mapped source", "mapped", DropReason.BadSource },
        { "a source in the protected prefix", "from the prefix", DropReason.BadSource },
        { "the backend's own address as source", "from the backend", DropReason.BadSource },
        { "UDP", "udp", DropReason.NotTcp },
        { "ICMPv6", "icmp", DropReason.NotTcp },
        { "a fragment", "fragment", DropReason.ExtensionHeader },
        { "destination options", "options", DropReason.ExtensionHeader },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void A_packet_from_a_client_is_refused_for_the_reason_that_an_operator_would_expect(string sentence, string kind, DropReason expected)
    {
        var before = _rig.Counters.Dropped(expected);
        Assert.True(_rig.Send(Make(kind)) == expected, $"{sentence}: {expected} expected");
        Assert.Equal(before + 1, _rig.Counters.Dropped(expected));
        Assert.Equal(0, _rig.Flows.CountOf(FlowState.HalfOpen));
    }

    [Fact]
    public void A_SYN_to_a_genuine_cookie_reaches_the_backend_with_only_address_port_hop_limit_and_MACs_changed()
    {
        var packet = new Packet { Destination = _cookie, HopLimit = 64, Payload = [1, 2, 3] };
        var frame = packet.ToBytes();
        Assert.Equal(DropReason.None, _rig.Send(frame));
        Assert.Equal((packet with { Destination = Rig.Backend, DestinationPort = 2525, HopLimit = 63, DestinationMac = "02:00:00:00:00:bb", SourceMac = "02:00:00:00:00:aa" }).ToBytes(), frame);
        Assert.Equal(1, _rig.Flows.CountOf(FlowState.HalfOpen));
        Assert.Equal(1, _rig.Counters.Accepted(fresh: true));
    }

    [Fact]
    public void A_reply_leaves_under_the_address_that_the_client_asked_for()
    {
        _rig.Send(new Packet { Destination = _cookie });
        var reply = Rig.Reply() with { Flags = TcpFlags.Syn | TcpFlags.Ack, HopLimit = 64, Payload = [9] };
        var frame = reply.ToBytes();
        Assert.Equal(DropReason.None, _rig.Send(frame, Side.Inside));
        Assert.Equal((reply with { Source = _cookie, SourcePort = 25, HopLimit = 63, DestinationMac = "02:00:00:00:00:0c", SourceMac = "02:00:00:00:00:0e" }).ToBytes(), frame);
    }

    [Fact]
    public void Ethernet_padding_does_not_disturb()
    {
        Assert.Equal(DropReason.None, _rig.Send(new Packet { Destination = _cookie, Padding = 6 }));
    }

    [Fact]
    public void A_backend_frame_without_a_flow_is_dropped()
    {
        Assert.Equal(DropReason.NoFlow, _rig.Send(Rig.Reply(), Side.Inside));
    }

    [Fact]
    public void A_flow_is_established_only_by_who_heard_the_backends_sequence_number()
    {
        var client = new Packet { Destination = _cookie };
        _rig.Send(client);
        var ack = client with { Flags = TcpFlags.Ack, Sequence = 1001 };
        _rig.Send(ack with { Acknowledgment = 5001 }); // before the backend has said anything
        Assert.Equal(0, _rig.Flows.CountOf(FlowState.Established));
        _rig.Send(Rig.Reply() with { Flags = TcpFlags.Syn | TcpFlags.Ack, Sequence = 5000 }, Side.Inside);
        _rig.Send(ack with { Acknowledgment = 5000 });
        _rig.Send(ack with { Acknowledgment = 5002 });
        Assert.Equal(0, _rig.Flows.CountOf(FlowState.Established));
        _rig.Send(ack with { Acknowledgment = 5001 });
        Assert.Equal(1, _rig.Flows.CountOf(FlowState.Established));
    }

    [Fact]
    public void A_connection_closes_when_both_sides_have_said_FIN()
    {
        var client = _rig.Establish();
        _rig.Send(client with { Flags = TcpFlags.Fin | TcpFlags.Ack });
        Assert.Equal(1, _rig.Flows.CountOf(FlowState.Established));
        _rig.Send(Rig.Reply() with { Flags = TcpFlags.Fin | TcpFlags.Ack }, Side.Inside);
        Assert.Equal((0, 1), (_rig.Flows.CountOf(FlowState.Established), _rig.Flows.CountOf(FlowState.Closing)));
        Assert.Equal(DropReason.None, _rig.Send(client)); // the last acknowledgment still passes
    }

    [Theory]
    [InlineData(1001u, true)] // what the backend expects next
    [InlineData(1002u, false)] // anything else in its window it would only ask back (RFC 5961, section 3)
    [InlineData(1001u + 65_535, false)]
    [InlineData(1001u + 65_536, false)]
    [InlineData(1000u, false)]
    [InlineData(0x80000000u, false)]
    public void A_reset_is_believed_only_where_the_backend_could_take_it_for_real(uint sequence, bool believed)
    {
        var client = _rig.Establish();
        Assert.Equal(DropReason.None, _rig.Send(client with { Flags = TcpFlags.Rst, Sequence = sequence }));
        Assert.Equal(believed ? 0 : 1, _rig.Flows.CountOf(FlowState.Established));
    }

    [Fact]
    public void A_closed_connections_port_may_be_used_again_with_the_same_and_with_another_cookie()
    {
        foreach (var cookie in new[] { _cookie, Rig.Mint("198.51.100.1") })
        {
            var client = _rig.Establish(cookie);
            Assert.Equal(1, _rig.Flows.CountOf(FlowState.Established));
            _rig.Send(client with { Flags = TcpFlags.Rst });
            Assert.Equal((0, 1), (_rig.Flows.CountOf(FlowState.Established), _rig.Flows.CountOf(FlowState.Closing)));
        }
    }

    [Fact]
    public void A_SYN_with_an_expired_cookie_does_not_take_a_closing_flow_away()
    {
        var client = _rig.Establish(Rig.Mint(age: 7000));
        _rig.Send(client with { Flags = TcpFlags.Rst });
        _rig.Snapshot = _rig.Snapshot with { Prefixes = [new PrefixRules(Rig.Prefix, Rig.Keys, [null, new ServiceRules([25], 0, 64, 64)])] };
        Assert.Equal(DropReason.Expired, _rig.Send(client with { Flags = TcpFlags.Syn }));
        Assert.Equal(1, _rig.Flows.CountOf(FlowState.Closing));
    }

    [Fact]
    public void One_client_port_towards_two_cookies_of_one_backend_gets_another_port_there_and_its_replies_the_right_one_back()
    {
        _rig.Establish();
        var syn = new Packet { Destination = Rig.Mint("198.51.100.1"), Payload = [1, 2, 3] };
        var frame = syn.ToBytes();
        Assert.Equal(DropReason.None, _rig.Send(frame));
        var port = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(54));
        Assert.InRange(port, 1024, 65535);
        Assert.NotEqual(40000, port);
        Assert.Equal((syn with { SourcePort = port, Destination = Rig.Backend, DestinationPort = 2525, HopLimit = 63, DestinationMac = "02:00:00:00:00:bb", SourceMac = "02:00:00:00:00:aa" }).ToBytes(), frame);

        // Each reply goes back to the connection that it is of, to the client's one port.
        foreach (var (backendsPort, cookie) in new[] { (40000, _cookie), (port, syn.Destination) })
        {
            var reply = Rig.Reply(backendsPort) with { Flags = TcpFlags.Syn | TcpFlags.Ack, Payload = [9] };
            frame = reply.ToBytes();
            Assert.Equal(DropReason.None, _rig.Send(frame, Side.Inside));
            Assert.Equal((reply with { Source = cookie, SourcePort = 25, DestinationPort = 40000, HopLimit = 63, DestinationMac = "02:00:00:00:00:0c", SourceMac = "02:00:00:00:00:0e" }).ToBytes(), frame);
        }
        Assert.Equal((1, 1), (_rig.Flows.CountOf(FlowState.Established), _rig.Flows.CountOf(FlowState.HalfOpen)));
    }

    [Fact]
    public void Ended_connections_that_fill_the_table_leave_room_for_handshakes()
    {
        using var rig = new Rig(flows: 8);
        for (var port = 50001; port <= 50008; port++)
            rig.Send(rig.Establish(port: port) with { Flags = TcpFlags.Rst });
        Assert.Equal(8, rig.Flows.CountOf(FlowState.Closing));
        var syns = Enumerable.Range(40001, 4).Select(port => new Packet { Destination = _cookie, SourcePort = port }).ToList();
        syns.ForEach(syn => Assert.Equal(DropReason.None, rig.Send(syn)));
        for (var port = 40001; port <= 40004; port++)
            rig.Establish(port: port);
        Assert.Equal(4, rig.Flows.CountOf(FlowState.Established));
    }

    [Theory]
    [InlineData("192.0.2.53", DropReason.BannedResolver)]
    [InlineData("192.0.3.53", DropReason.None)]
    [InlineData("2001:db8:f00f::1", DropReason.BannedResolver)]
    [InlineData("2001:db8:e000::1", DropReason.None)]
    [InlineData("::1", DropReason.None)] // an unknown resolver is on no list, not even on 0.0.0.0/8
    public void A_banned_resolver_is_known_by_the_cookie(string resolver, DropReason expected)
    {
        using var rig = new Rig(policy: Rig.Banning("192.0.2.0/24\n2001:db8:f000::/44\n0.0.0.0/8", ""));
        Assert.Equal(expected, rig.Send(new Packet { Destination = Rig.Mint(resolver) }));
    }

    [Fact]
    public void A_banned_client_is_refused_whatever_its_resolver()
    {
        using var rig = new Rig(policy: Rig.Banning("", "2001:db8:c::/64"));
        Assert.Equal(DropReason.BannedClient, rig.Send(new Packet { Destination = _cookie }));
        Assert.Equal(DropReason.None, rig.Send(new Packet { Destination = _cookie, Source = "2001:db8:d::1" }));
    }

    [Fact]
    public void Observing_counts_the_verdict_and_lets_everything_genuine_in()
    {
        using var rig = new Rig(policy: Rig.Banning("192.0.2.53", "", observe: true));
        Assert.Equal(DropReason.None, rig.Send(new Packet { Destination = _cookie }));
        Assert.Equal(DropReason.None, rig.Send(new Packet { Destination = Rig.Mint("198.51.100.1", age: 8000), SourcePort = 41000 }));
        Assert.Equal(DropReason.FalseCookie, rig.Send(Make("random")));
        Assert.Equal((1, 1, 0), (rig.Counters.VerdictsAgainst(DropReason.BannedResolver), rig.Counters.VerdictsAgainst(DropReason.Expired), rig.Counters.Dropped(DropReason.BannedResolver)));
    }

    [Fact]
    public void A_stale_cookie_is_accepted_and_counted_as_stale()
    {
        Assert.Equal(DropReason.None, _rig.Send(new Packet { Destination = Rig.Mint(age: 4000) }));
        Assert.Equal((0, 1), (_rig.Counters.Accepted(fresh: true), _rig.Counters.Accepted(fresh: false)));
    }

    [Fact]
    public void Without_keys_or_neighbour_nothing_passes_and_the_reason_says_so()
    {
        var snapshot = _rig.Snapshot;
        _rig.Snapshot = snapshot with { Prefixes = [new PrefixRules(Rig.Prefix, keys: null, [])] };
        Assert.Equal(DropReason.NoKeys, _rig.Send(new Packet { Destination = _cookie }));
        var unresolved = new NextHop(destination: null, System.Net.NetworkInformation.PhysicalAddress.Parse("02-00-00-00-00-AA"));
        _rig.Snapshot = snapshot with { Backends = [snapshot.Backends[0] with { NextHop = unresolved }] };
        Assert.Equal(DropReason.NeighbourUnresolved, _rig.Send(new Packet { Destination = _cookie }));
        Assert.Equal(0, _rig.Flows.CountOf(FlowState.HalfOpen));
    }

    [Fact]
    public void A_full_table_sheds_the_oldest_half_open_flow_and_never_an_established_one()
    {
        using var rig = new Rig(flows: 4);
        rig.Establish(port: 40001);
        for (var port = 50001; port <= 50004; port++)
            Assert.Equal(DropReason.None, rig.Send(new Packet { Destination = _cookie, SourcePort = port }));
        Assert.Equal((1, 3), (rig.Flows.CountOf(FlowState.Established), rig.Flows.CountOf(FlowState.HalfOpen)));
        Assert.Equal(DropReason.NoFlow, rig.Send(Rig.Reply(50001), Side.Inside));
        Assert.Equal(DropReason.None, rig.Send(Rig.Reply(50002), Side.Inside));
        foreach (var port in new[] { 40002, 40003, 40004 })
            rig.Establish(port: port);
        Assert.Equal(DropReason.FlowTableFull, rig.Send(new Packet { Destination = _cookie, SourcePort = 50009 }));
        Assert.Equal(4, rig.Flows.CountOf(FlowState.Established));
    }

    [Fact]
    public void A_truncated_frame_is_refused_at_every_length()
    {
        var whole = new Packet { Destination = _cookie, VlanTags = [5], Payload = [1, 2, 3, 4] }.ToBytes();
        for (var length = 0; length < whole.Length; length++)
            Assert.NotEqual(DropReason.None, _rig.Send(whole[..length]));
    }

    [Fact]
    public void Every_checksum_is_right_after_both_rewrites() =>
        Gen.Select(Gen.Byte.Array[0, 80], Gen.UShort[1, 65535], Gen.ULong, Gen.UInt).Sample((payload, port, client, sequence) =>
        {
            using var rig = new Rig();
            var source = $"2001:db9:{client & 0xFFFF:x}:{client >> 16 & 0xFFFF:x}::{client >> 32 & 0xFFFF:x}:{client >> 48:x}";
            var syn = new Packet { Source = source, SourcePort = port, Destination = Rig.Mint($"192.0.2.{client & 0xFF}"), Payload = payload, Sequence = sequence }.ToBytes();
            Assert.Equal(DropReason.None, rig.Send(syn));
            Assert.True(Packet.HasRightChecksum(syn));
            var reply = (Rig.Reply(port) with { Destination = source, Payload = payload, Sequence = sequence }).ToBytes();
            Assert.Equal(DropReason.None, rig.Send(reply, Side.Inside));
            Assert.True(Packet.HasRightChecksum(reply));
        }, iter: 20_000);

    [Fact]
    public unsafe void Within_one_batch_frames_of_a_new_flow_follow_their_SYN_and_each_prefix_has_its_own_say()
    {
        var other = Cookies.CookiePrefix.Parse("2001:db8:26::/48");
        var otherKeys = Cookies.PrefixKeys.Derive(Cookies.MasterSecret.FromBytes([.. Enumerable.Repeat((byte)3, 32)]), other, Rig.Now);
        var otherCookie = new byte[16];
        otherKeys.TryMint(Cookies.ResolverNetwork.Unknown, Rig.Now, 4, verified: false, ecs: false, otherCookie);
        var services = new ServiceRules?[5];
        services[4] = new ServiceRules([80], 0, 3600, 7200);
        _rig.Snapshot = _rig.Snapshot with { Prefixes = [.. _rig.Snapshot.Prefixes, new PrefixRules(other, otherKeys, services)] };
        var syn = new Packet { Destination = _cookie };
        var expected = new (byte[] Frame, DropReason Drop)[]
        {
            ((syn with { Flags = TcpFlags.Ack }).ToBytes(), DropReason.NoFlow), // before its SYN
            (syn.ToBytes(), DropReason.None),
            ((syn with { Flags = TcpFlags.Ack }).ToBytes(), DropReason.None),
            (Make("random"), DropReason.FalseCookie),
            (new Packet { Destination = new System.Net.IPAddress(otherCookie).ToString(), DestinationPort = 80, SourcePort = 41000 }.ToBytes(), DropReason.None),
            (new Packet { Destination = new System.Net.IPAddress(otherCookie).ToString(), DestinationPort = 25, SourcePort = 41001 }.ToBytes(), DropReason.WrongPort),
            (Make("outside"), DropReason.FalseCookie),
            (syn.ToBytes(), DropReason.None), // the SYN again
        };
        var memory = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed((nuint)expected.Length, 2048);
        var frames = new Frame[expected.Length];
        for (var i = 0; i < frames.Length; i++)
        {
            expected[i].Frame.CopyTo(new Span<byte>(memory + i * 2048, 2048));
            frames[i] = new Frame { Data = memory + i * 2048, Length = expected[i].Frame.Length };
        }
        _rig.Send(frames);
        System.Runtime.InteropServices.NativeMemory.Free(memory);
        Assert.Equal(expected.Select(row => row.Drop), frames.Select(frame => frame.Drop));
        Assert.Equal(2, _rig.Flows.CountOf(FlowState.HalfOpen));
    }

    [Fact]
    public unsafe void The_path_allocates_nothing()
    {
        // Frames that open, pass, are refused, and come back, many at once.
        var packets = Enumerable.Range(0, 32).SelectMany(i => new[]
        {
            new Packet { Destination = _cookie, SourcePort = 1000 + i }.ToBytes(),
            Make("random"),
            new Packet { Destination = _cookie, SourcePort = 1000 + i, Flags = TcpFlags.Ack }.ToBytes(),
        }).ToArray();
        using var rig = new Rig();
        var memory = System.Runtime.InteropServices.NativeMemory.AllocZeroed(96, 2048);
        var frames = new Frame[packets.Length];
        long allocated = 0;
        for (var round = 0; round < 50; round++)
        {
            for (var i = 0; i < frames.Length; i++)
            {
                var data = (byte*)memory + i * 2048;
                packets[i].CopyTo(new Span<byte>(data, 2048));
                frames[i] = new Frame { Data = data, Length = packets[i].Length };
            }
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var first = 0; first < frames.Length; first += PacketPath.MaxBatch)
                rig.Send(frames.AsSpan(first, Math.Min(PacketPath.MaxBatch, frames.Length - first)));
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        System.Runtime.InteropServices.NativeMemory.Free(memory);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void Frames_in_are_frames_out_and_counted_drops_whatever_the_frames()
    {
        var random = new Random(7);
        using var rig = new Rig(flows: 256);
        long passed = 0;
        const int count = 1_000_000;
        var seeds = Refused.Select(row => Make(row.Data.Item2)).Append(new Packet { Destination = _cookie }.ToBytes()).Append(Rig.Reply().ToBytes()).ToArray();
        for (var i = 0; i < count; i++)
        {
            var frame = (byte[])seeds[random.Next(seeds.Length)].Clone();
            for (var changes = random.Next(4); changes > 0; changes--)
                frame[random.Next(frame.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0)
                frame = frame[..random.Next(frame.Length + 1)];
            if (random.Next(16) == 0)
                random.NextBytes(frame);
            passed += rig.Send(frame, (Side)random.Next(2)) == DropReason.None ? 1 : 0;
            rig.Uptime += (uint)random.Next(3) / 2;
            if (i % 64 == 0)
                rig.Flows.Expire(rig.Uptime, 16);
        }
        var dropped = Enum.GetValues<DropReason>().Sum(rig.Counters.Dropped);
        Assert.Equal(count, rig.Counters.FramesReceived(Side.Uplink) + rig.Counters.FramesReceived(Side.Inside));
        Assert.Equal(count, passed + dropped);
        Assert.InRange(passed, 1000, count);
    }

    private static byte[] Make(string kind)
    {
        var genuine = new Packet { Destination = _cookie };
        return (kind switch
        {
            "random" => genuine with { Destination = "2001:db8:25:1234:5678:9abc:def0:1234" },
            "altered" => genuine with { Destination = _cookie[..^1] + (_cookie[^1] == '0' ? '1' : '0') },
            "outside" => genuine with { Destination = "2001:db8:26::1" },
            "unknown service" => genuine with { Destination = Rig.Mint(service: 2) },
            "wrong port" => genuine with { DestinationPort = 26 },
            "expired" => genuine with { Destination = Rig.Mint(age: 7300) },
            "ack" => genuine with { Flags = TcpFlags.Ack },
            "ack false" => genuine with { Flags = TcpFlags.Ack, Destination = "2001:db8:25:1234:5678:9abc:def0:1234" },
            "rst" => genuine with { Flags = TcpFlags.Rst },
            "syn ack" => genuine with { Flags = TcpFlags.Syn | TcpFlags.Ack },
            "hop limit" => genuine with { HopLimit = 1 },
            "syn fin" => genuine with { Flags = TcpFlags.Syn | TcpFlags.Fin },
            "no flags" => genuine with { Flags = TcpFlags.None },
            "multicast" => genuine with { Source = "ff02::1" },
            "loopback" => genuine with { Source = "::1" },
            "link-local" => genuine with { Source = "fe80::1" },
            "mapped" => genuine with { Source = "::ffff:192.0.2.1" },
            "from the prefix" => genuine with { Source = "2001:db8:25::7" },
            "from the backend" => genuine with { Source = Rig.Backend },
            "udp" => genuine with { NextHeader = 17 },
            "icmp" => genuine with { NextHeader = 58 },
            "fragment" => genuine with { NextHeader = 44 },
            "options" => genuine with { NextHeader = 60 },
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such packet"),
        }).ToBytes();
    }
}
