using System.Diagnostics;
using System.Net;
using CookieXdp.AfXdp.Tests.Support;
using CsCheck;
using static CookieXdp.AfXdp.Tests.Support.Packet;
using static CookieXdp.Engine.Control.XdpProgram;

namespace CookieXdp.AfXdp.Tests;

/// <summary>native/cookiexdp.bpf.c as tables of frame, action and counter, run by the kernel without a device (BPF_PROG_TEST_RUN).</summary>
public sealed class XdpProgramTests : IClassFixture<XdpProgramTests.OpenSocket>, IDisposable
{
    private const string Client = "2001:db8:99::7", Us = "2001:db8:25:ca01:2cdd:2ff5:2c64:b9b", PassPrefix = "2001:db8:26:1::1",
        OnLinkPrefix = "2001:db8:27::5", Other = "2001:db8:24:1::1", Group = "ff02::1:ff00:5", Backend = "fd00:25::25", Router = "fd00:25::1";

    private readonly BpfObject _object = BpfObject.Open(CompiledBpf.CookieXdp, "cookiexdp.bpf.o");
    private readonly OpenSocket _open;

    public XdpProgramTests(OpenSocket open)
    {
        _open = open;
        _object.Load();
        _object.Map(Prefixes).Update(new PrefixKey(Bytes(Us)), PrefixFlags.None);
        _object.Map(Prefixes).Update(new PrefixKey(Bytes(PassPrefix)), PrefixFlags.PassWhenDown);
        _object.Map(Prefixes).Update(new PrefixKey(Bytes(OnLinkPrefix)), PrefixFlags.OnLink);
        _object.Map(Backends).Update(new BackendKey(Bytes(Backend), 25), 0u);
        Beat(TimeSpan.Zero);
    }

    public void Dispose() => _object.Dispose();

    /// <summary>An XSKMAP takes sockets only, so there is one, for all tests of this class.</summary>
    public sealed class OpenSocket : IDisposable
    {
        private readonly NetworkNamespace _space = new();
        private readonly Umem _umem = new(256);

        public OpenSocket()
        {
            _space.AddPair("a0", "a1");
            _space.Run(() => Socket = XdpSocket.Open(_umem, Device.Find("a1"), 0, new() { FillSize = 16, CompletionSize = 16, RxSize = 16, TxSize = 16 }));
        }

        public XdpSocket Socket { get; private set; } = null!;

        public void Dispose()
        {
            Socket.Dispose();
            _umem.Dispose();
            _space.Dispose();
        }
    }

    // Each row: what it is, the frame, what becomes of it with a living engine that has a socket, and under which reason it is counted.
    private static readonly (string Name, byte[] Frame, XdpAction Action, Reason Reason)[] UplinkRows =
    [
        ("TCP to the prefix", Ethernet(Ip(Client, Us, TcpNext, Tcp(40000, 25))), XdpAction.Redirect, Reason.Redirected),
        ("TCP to a port nobody serves is the engine's to judge", Ethernet(Ip(Client, Us, TcpNext, Tcp(40000, 9))), XdpAction.Redirect, Reason.Redirected),
        ("TCP to the first address of the prefix", Ethernet(Ip(Client, "2001:db8:25::", TcpNext, Tcp(1, 25))), XdpAction.Redirect, Reason.Redirected),
        ("TCP to the last address of the prefix", Ethernet(Ip(Client, "2001:db8:25:ffff:ffff:ffff:ffff:ffff", TcpNext, Tcp(1, 25))), XdpAction.Redirect, Reason.Redirected),
        ("TCP with nothing behind the IPv6 header", Ethernet(Ip(Client, Us, TcpNext, [])), XdpAction.Redirect, Reason.Redirected),
        ("ICMPv6 echo to the prefix", Ethernet(Ip(Client, Us, Icmp, IcmpMessage(128, []))), XdpAction.Redirect, Reason.Redirected),
        ("ICMPv6 packet too big to the prefix", Ethernet(Ip(Client, Us, Icmp, IcmpMessage(2, Ip(Us, Client, TcpNext, Tcp(25, 40000))))), XdpAction.Redirect, Reason.Redirected),
        ("hop-by-hop options", Ethernet(Ip(Client, Us, HopByHop, Extension(TcpNext, Tcp(1, 25)))), XdpAction.Redirect, Reason.Redirected),
        ("routing header", Ethernet(Ip(Client, Us, Routing, Extension(TcpNext, Tcp(1, 25)))), XdpAction.Redirect, Reason.Redirected),
        ("fragment", Ethernet(Ip(Client, Us, Fragment, Extension(TcpNext, Tcp(1, 25)))), XdpAction.Redirect, Reason.Redirected),
        ("fragment of UDP: whose it is shows behind the header", Ethernet(Ip(Client, Us, Fragment, Extension(UdpNext, Udp(1, 53)))), XdpAction.Redirect, Reason.Redirected),
        ("authentication header", Ethernet(Ip(Client, Us, Authentication, Extension(TcpNext, Tcp(1, 25)))), XdpAction.Redirect, Reason.Redirected),
        ("destination options", Ethernet(Ip(Client, Us, Destination, Extension(TcpNext, Tcp(1, 25)))), XdpAction.Redirect, Reason.Redirected),
        ("mobility header", Ethernet(Ip(Client, Us, Mobility, Extension(None, []))), XdpAction.Redirect, Reason.Redirected),
        ("HIP", Ethernet(Ip(Client, Us, Hip, Extension(None, []))), XdpAction.Redirect, Reason.Redirected),
        ("Shim6", Ethernet(Ip(Client, Us, Shim6, Extension(TcpNext, Tcp(1, 25)))), XdpAction.Redirect, Reason.Redirected),
        ("802.1Q", Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)), Ip6, (Vlan, 7)), XdpAction.Redirect, Reason.Redirected),
        ("802.1ad and 802.1Q", Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)), Ip6, (QinQ, 7), (Vlan, 9)), XdpAction.Redirect, Reason.Redirected),
        ("two 802.1Q tags", Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)), Ip6, (Vlan, 7), (Vlan, 9)), XdpAction.Redirect, Reason.Redirected),
        ("three tags are too many", Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)), Ip6, (QinQ, 7), (Vlan, 9), (Vlan, 8)), XdpAction.Pass, Reason.Passed),
        ("UDP to the prefix", Ethernet(Ip(Client, Us, UdpNext, Udp(1, 53))), XdpAction.Drop, Reason.NotForEngine),
        ("UDP to the prefix, tagged", Ethernet(Ip(Client, Us, UdpNext, Udp(1, 53)), Ip6, (Vlan, 7)), XdpAction.Drop, Reason.NotForEngine),
        ("ESP to the prefix", Ethernet(Ip(Client, Us, Esp, new byte[16])), XdpAction.Drop, Reason.NotForEngine),
        ("SCTP to the prefix", Ethernet(Ip(Client, Us, Sctp, new byte[16])), XdpAction.Drop, Reason.NotForEngine),
        ("no next header, to the prefix", Ethernet(Ip(Client, Us, None, [])), XdpAction.Drop, Reason.NotForEngine),
        ("a version that is not 6, to the prefix", Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25), version: 4)), XdpAction.Drop, Reason.Truncated),
        ("TCP to another prefix", Ethernet(Ip(Client, Other, TcpNext, Tcp(1, 25))), XdpAction.Pass, Reason.Passed),
        ("UDP to another prefix", Ethernet(Ip(Client, Other, UdpNext, Udp(1, 53))), XdpAction.Pass, Reason.Passed),
        ("from the prefix, not to it", Ethernet(Ip(Us, Other, TcpNext, Tcp(25, 1))), XdpAction.Pass, Reason.Passed),
        ("to a backend: nobody from outside is sent there", Ethernet(Ip(Client, Backend, TcpNext, Tcp(1, 25))), XdpAction.Pass, Reason.Passed),
        ("IPv4", Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)), Ip4), XdpAction.Pass, Reason.Passed),
        ("ARP", Ethernet(new byte[46], 0x0806), XdpAction.Pass, Reason.Passed),
        ("an 802.3 length in place of a type", Ethernet(new byte[46], 46), XdpAction.Pass, Reason.Passed),
        ("solicitation for an on-link prefix", Ethernet(Ip(Client, Group, Icmp, Solicitation(OnLinkPrefix))), XdpAction.Redirect, Reason.Redirected),
        ("solicitation for a routed prefix", Ethernet(Ip(Client, Group, Icmp, Solicitation(Us))), XdpAction.Pass, Reason.Passed),
        ("solicitation for the host", Ethernet(Ip(Client, Group, Icmp, Solicitation(Other))), XdpAction.Pass, Reason.Passed),
        ("advertisement about an on-link prefix", Ethernet(Ip(Client, Group, Icmp, IcmpMessage(136, Bytes(OnLinkPrefix)))), XdpAction.Pass, Reason.Passed),
        ("solicitation cut off within its target", Ethernet(Ip(Client, Group, Icmp, Solicitation(OnLinkPrefix)[..^1])), XdpAction.Pass, Reason.Passed),
        ("solicitation for an on-link prefix sent to the host itself", Ethernet(Ip(Client, Other, Icmp, Solicitation(OnLinkPrefix))), XdpAction.Pass, Reason.Passed),
    ];

    private static readonly (string Name, byte[] Frame, XdpAction Action, Reason Reason)[] InsideRows =
    [
        ("TCP from the backend's port", Ethernet(Ip(Backend, Client, TcpNext, Tcp(25, 40000))), XdpAction.Redirect, Reason.Redirected),
        ("TCP from the backend's port, tagged", Ethernet(Ip(Backend, Client, TcpNext, Tcp(25, 40000)), Ip6, (QinQ, 1), (Vlan, 2)), XdpAction.Redirect, Reason.Redirected),
        ("TCP from another port of the backend: its own outgoing mail", Ethernet(Ip(Backend, Client, TcpNext, Tcp(40000, 25))), XdpAction.Pass, Reason.Passed),
        ("TCP from another host's port 25", Ethernet(Ip(Router, Client, TcpNext, Tcp(25, 40000))), XdpAction.Pass, Reason.Passed),
        ("UDP from the backend's port", Ethernet(Ip(Backend, Client, UdpNext, Udp(25, 53))), XdpAction.Pass, Reason.Passed),
        ("TCP from the backend, cut off within its ports", Ethernet(Ip(Backend, Client, TcpNext, Tcp(25, 40000)[..3])), XdpAction.Pass, Reason.Passed),
        ("destination unreachable about a packet to the backend's port", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(1, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Redirect, Reason.Redirected),
        ("packet too big from a router between", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(2, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Redirect, Reason.Redirected),
        ("time exceeded", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(3, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Redirect, Reason.Redirected),
        ("parameter problem", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(4, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Redirect, Reason.Redirected),
        ("an error cut off right after the embedded ports", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(3, Ip(Client, Backend, TcpNext, Tcp(40000, 25)[..4])))), XdpAction.Redirect, Reason.Redirected),
        ("an error cut off within the embedded ports", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(3, Ip(Client, Backend, TcpNext, Tcp(40000, 25)[..3])))), XdpAction.Pass, Reason.Passed),
        ("an error about another port", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(1, Ip(Client, Backend, TcpNext, Tcp(40000, 26))))), XdpAction.Pass, Reason.Passed),
        ("an error about another host", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(1, Ip(Client, Router, TcpNext, Tcp(40000, 25))))), XdpAction.Pass, Reason.Passed),
        ("an error about a packet from the backend", Ethernet(Ip(Router, Backend, Icmp, IcmpMessage(1, Ip(Backend, Client, TcpNext, Tcp(25, 40000))))), XdpAction.Pass, Reason.Passed),
        ("an error about UDP", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(1, Ip(Client, Backend, UdpNext, Udp(40000, 25))))), XdpAction.Pass, Reason.Passed),
        ("type 0 is no error", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(0, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Pass, Reason.Passed),
        ("type 5 is unassigned", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(5, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Pass, Reason.Passed),
        ("echo from the backend", Ethernet(Ip(Backend, Client, Icmp, IcmpMessage(128, Ip(Client, Backend, TcpNext, Tcp(40000, 25))))), XdpAction.Pass, Reason.Passed),
        ("solicitation from the backend", Ethernet(Ip(Backend, Group, Icmp, Solicitation(Router))), XdpAction.Pass, Reason.Passed),
        ("TCP from the backend's port behind hop-by-hop options", Ethernet(Ip(Backend, Client, HopByHop, Extension(TcpNext, Tcp(25, 40000)))), XdpAction.Redirect, Reason.Redirected),
        ("TCP from the backend's port behind six headers", Ethernet(Ip(Backend, Client, HopByHop, Extension(Destination, Extension(Routing, Extension(Destination, Extension(Destination, Extension(Destination, Extension(TcpNext, Tcp(25, 40000))))))))), XdpAction.Redirect, Reason.Redirected),
        ("TCP from the backend's port behind seven headers", Ethernet(Ip(Backend, Client, HopByHop, Extension(Destination, Extension(Routing, Extension(Destination, Extension(Destination, Extension(Destination, Extension(Destination, Extension(TcpNext, Tcp(25, 40000)))))))))), XdpAction.Pass, Reason.Passed),
        ("TCP from the backend's port behind an authentication header", Ethernet(Ip(Backend, Client, Authentication, [TcpNext, 2, .. new byte[14], .. Tcp(25, 40000)])), XdpAction.Redirect, Reason.Redirected),
        ("its own outgoing mail behind destination options", Ethernet(Ip(Backend, Client, Destination, Extension(TcpNext, Tcp(40000, 25)))), XdpAction.Pass, Reason.Passed),
        ("UDP from the backend behind destination options", Ethernet(Ip(Backend, Client, Destination, Extension(UdpNext, Udp(25, 53)))), XdpAction.Pass, Reason.Passed),
        ("a header that nobody knows here", Ethernet(Ip(Backend, Client, Shim6, Extension(TcpNext, Tcp(25, 40000)))), XdpAction.Pass, Reason.Passed),
        ("a header longer than the frame", Ethernet(Ip(Backend, Client, Destination, [TcpNext, 255, .. new byte[6], .. Tcp(25, 40000)])), XdpAction.Pass, Reason.Passed),
        ("an atomic fragment from the backend's port", Ethernet(Ip(Backend, Client, Fragment, Extension(TcpNext, Tcp(25, 40000)))), XdpAction.Redirect, Reason.Redirected),
        ("a first fragment from the backend's port", Ethernet(Ip(Backend, Client, Fragment, Piece(7, 0, more: true, Tcp(25, 40000)))), XdpAction.Redirect, Reason.Redirected),
        ("a first fragment of the backend's own mail", Ethernet(Ip(Backend, Client, Fragment, Piece(8, 0, more: true, Tcp(40000, 25)))), XdpAction.Pass, Reason.Passed),
        ("a later fragment of what nobody knows", Ethernet(Ip(Backend, Client, Fragment, Piece(9, 1232, more: false, Tcp(25, 40000)))), XdpAction.Pass, Reason.Passed),
        ("an error about a packet with destination options", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(3, Ip(Client, Backend, Destination, Extension(TcpNext, Tcp(40000, 25)))))), XdpAction.Redirect, Reason.Redirected),
        ("an error about a first fragment", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(2, Ip(Client, Backend, Fragment, Piece(7, 0, more: true, Tcp(40000, 25)))))), XdpAction.Redirect, Reason.Redirected),
        ("an error about a later fragment: nobody can tell of what", Ethernet(Ip(Router, Client, Icmp, IcmpMessage(2, Ip(Client, Backend, Fragment, Piece(7, 1232, more: false, Tcp(40000, 25)))))), XdpAction.Pass, Reason.Passed),
        ("TCP to the prefix: the uplink's business", Ethernet(Ip(Backend, Us, TcpNext, Tcp(40000, 25))), XdpAction.Pass, Reason.Passed),
        ("ARP", Ethernet(new byte[46], 0x0806), XdpAction.Pass, Reason.Passed),
    ];

    public static TheoryData<string, int> AllRows()
    {
        var data = new TheoryData<string, int>();
        for (var i = 0; i < UplinkRows.Length; i++)
            data.Add($"uplink: {UplinkRows[i].Name}", i);
        for (var i = 0; i < InsideRows.Length; i++)
            data.Add($"inside: {InsideRows[i].Name}", UplinkRows.Length + i);
        return data;
    }

    /// <summary>Every row with a living engine and a socket, then without a socket, then with the engine silent: one counter moves each time.</summary>
    [Theory]
    [MemberData(nameof(AllRows))]
    public void A_frame_goes_where_the_table_says_and_is_counted_once(string name, int row)
    {
        var role = row < UplinkRows.Length ? Role.Uplink : Role.Inside;
        var (_, frame, action, reason) = role == Role.Uplink ? UplinkRows[row] : InsideRows[row - UplinkRows.Length];
        var program = role == Role.Uplink ? Uplink : Inside;
        var isForEngine = action == XdpAction.Redirect;

        Check(program, frame, isForEngine ? XdpAction.Drop : action, role, isForEngine ? Reason.NoSocket : reason, $"{name}, no socket");
        AddSockets();
        Check(program, frame, action, role, reason, name);
        if (role == Role.Uplink)
            Check(Both, frame, action, role, reason, $"{name}, on an interface that is both");
        Beat(TimeSpan.FromSeconds(-3));
        Check(program, frame, isForEngine ? XdpAction.Drop : action, role, isForEngine ? Reason.EngineDown : reason, $"{name}, engine silent");
    }

    [Fact]
    public void On_an_interface_that_is_both_a_backends_packet_is_the_insides()
    {
        AddSockets();
        foreach (var (name, frame, action, reason) in InsideRows)
        {
            if (reason == Reason.Redirected)
                Check(Both, frame, action, Role.Inside, reason, name);
        }
    }

    [Fact]
    public void A_backends_later_fragments_follow_their_first_one_and_its_own_mails_do_not()
    {
        AddSockets();
        byte[] Later(string from, string to, uint identification) => Ethernet(Ip(from, to, Fragment, Piece(identification, 1232, more: false, Tcp(25, 40000))));
        var first = Ethernet(Ip(Backend, Client, Fragment, Piece(7, 0, more: true, Tcp(25, 40000))));
        foreach (var program in new[] { Inside, Both })
        {
            Check(program, first, XdpAction.Redirect, Role.Inside, Reason.Redirected, "the first one");
            Check(program, Later(Backend, Client, 7), XdpAction.Redirect, Role.Inside, Reason.Redirected, "its second one");
        }
        Check(Inside, Ethernet(Ip(Backend, Client, Fragment, Piece(8, 0, more: true, Tcp(40000, 25)))), XdpAction.Pass, Role.Inside, Reason.Passed, "the first one of its own mail");
        Check(Inside, Later(Backend, Client, 8), XdpAction.Pass, Role.Inside, Reason.Passed, "the second one of its own mail");
        Check(Inside, Ethernet(Ip(Backend, Client, Fragment, Extension(TcpNext, Tcp(25, 40000)))), XdpAction.Redirect, Role.Inside, Reason.Redirected, "an atomic one, identification 1");
        foreach (var (frame, name) in new[]
        {
            (Later(Backend, Client, 1), "an atomic one has no second"), (Later(Backend, Client, 9), "another packet's"),
            (Later(Router, Client, 7), "another sender's"), (Later(Backend, Router, 7), "to somebody else"),
        })
            Check(Inside, frame, XdpAction.Pass, Role.Inside, Reason.Passed, name);
    }

    [Fact]
    public void An_engine_is_alive_for_two_seconds_after_its_last_beat_and_never_before_its_first()
    {
        AddSockets();
        var frame = Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)));
        Beat(TimeSpan.FromMilliseconds(-1900));
        Check(Uplink, frame, XdpAction.Redirect, Role.Uplink, Reason.Redirected, "1.9 s ago");
        Beat(TimeSpan.FromMilliseconds(-2100));
        Check(Uplink, frame, XdpAction.Drop, Role.Uplink, Reason.EngineDown, "2.1 s ago");
        Beat(TimeSpan.FromMilliseconds(5));
        Check(Uplink, frame, XdpAction.Redirect, Role.Uplink, Reason.Redirected, "the coarse clock lags behind the beat");
        _object.Map(Heartbeat).Update(0u, 0UL);
        Check(Uplink, frame, XdpAction.Drop, Role.Uplink, Reason.EngineDown, "no beat yet");
    }

    [Fact]
    public void A_silent_engines_frames_pass_where_the_prefix_says_so_but_other_protocols_never()
    {
        AddSockets();
        var tcp = Ethernet(Ip(Client, PassPrefix, TcpNext, Tcp(1, 25)));
        Check(Uplink, tcp, XdpAction.Redirect, Role.Uplink, Reason.Redirected, "alive");
        Beat(TimeSpan.FromSeconds(-3));
        Check(Uplink, tcp, XdpAction.Pass, Role.Uplink, Reason.EngineDownPassed, "silent");
        Check(Uplink, Ethernet(Ip(Client, PassPrefix, UdpNext, Udp(1, 53))), XdpAction.Drop, Role.Uplink, Reason.NotForEngine, "UDP");
        Check(Uplink, Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25))), XdpAction.Drop, Role.Uplink, Reason.EngineDown, "another prefix");
        Check(Inside, Ethernet(Ip(Backend, Client, TcpNext, Tcp(25, 1))), XdpAction.Drop, Role.Inside, Reason.EngineDown, "from the backend");
    }

    [Fact]
    public void A_queue_without_a_socket_drops_although_another_has_one()
    {
        AddSockets(queue: 1);
        Check(Uplink, Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25))), XdpAction.Drop, Role.Uplink, Reason.NoSocket, "queue 0");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_frame_to_the_prefix_cut_off_anywhere_is_passed_before_its_destination_is_known_and_dropped_before_its_header_ends(int tags)
    {
        AddSockets();
        var whole = Ethernet(Ip(Client, Us, TcpNext, Tcp(1, 25)), Ip6, [.. new (ushort, ushort)[] { (QinQ, 7), (Vlan, 9) }.Take(tags)]);
        var header = 14 + (4 * tags);
        for (var length = 14; length <= whole.Length; length++)
        {
            var (action, reason) = (length - header) switch
            {
                < 24 + 6 => (XdpAction.Pass, Reason.Passed),
                < 40 => (XdpAction.Drop, Reason.Truncated),
                _ => (XdpAction.Redirect, Reason.Redirected),
            };
            Check(Uplink, whole[..length], action, Role.Uplink, reason, $"{length} bytes");
        }
        var other = Ethernet(Ip(Client, Other, TcpNext, Tcp(1, 25)));
        for (var length = 14; length <= other.Length; length++)
            Check(Uplink, other[..length], XdpAction.Pass, Role.Uplink, Reason.Passed, $"{length} bytes to another prefix");
    }

    [Fact]
    public void A_backends_frame_cut_off_anywhere_passes_until_its_ports_are_there()
    {
        AddSockets();
        var tcp = Ethernet(Ip(Backend, Client, TcpNext, Tcp(25, 1)), Ip6, (Vlan, 7));
        for (var length = 14; length <= tcp.Length; length++)
            Check(Inside, tcp[..length], length < 18 + 40 + 4 ? XdpAction.Pass : XdpAction.Redirect, Role.Inside,
                length < 18 + 40 + 4 ? Reason.Passed : Reason.Redirected, $"{length} bytes");
    }

    /// <summary>Frames of the tables with some bytes changed and cut off anywhere, against the rules written a second time, in C#.</summary>
    [Fact]
    public void Any_frame_at_all_is_judged_as_the_rules_say()
    {
        AddSockets();
        byte[][] seeds = [.. UplinkRows.Select(r => r.Frame), .. InsideRows.Select(r => r.Frame)];
        var change = Gen.Select(Gen.Int[0, 100], Gen.Byte);
        Gen.Select(Gen.Int[0, seeds.Length - 1], change.Array[0, 3], Gen.Int[14, 200], Gen.Int[0, 2]).Sample((seed, changes, cut, which) =>
        {
            var frame = seeds[seed].ToArray();
            foreach (var (at, value) in changes)
                frame[at % frame.Length] = value;
            frame = frame[..Math.Min(cut, frame.Length)];
            var program = new[] { Uplink, Inside, Both }[which];
            Assert.Equal(Model(frame, program, IsRemembered), _object.Program(program).TestRun(frame));
        }, iter: 20_000, threads: 1);
    }

    /// <summary>Whether the program has seen the first fragment of a packet.</summary>
    private bool IsRemembered(byte[] key) => _object.Map(Fragmented).TryLookup(key, new byte[4]);

    private static XdpAction Model(ReadOnlySpan<byte> frame, string program, Func<byte[], bool> isRemembered)
    {
        var at = 12;
        var type = (frame[at] << 8) | frame[at + 1];
        at += 2;
        for (var tags = 0; tags < 2 && type is Vlan or QinQ; tags++)
        {
            if (frame.Length < at + 4)
                return XdpAction.Pass;
            type = (frame[at + 2] << 8) | frame[at + 3];
            at += 4;
            if (tags == 1)
                break;
        }
        if (type != Ip6)
            return XdpAction.Pass;
        var ip = frame[at..];
        if (program != Inside)
        {
            var known = new[] { Us, PassPrefix, OnLinkPrefix };
            if (ip.Length >= 30 && Lies(ip[24..], known))
            {
                if (ip.Length < 40 || ip[0] >> 4 != 6)
                    return XdpAction.Drop;
                return ip[6] is TcpNext or Icmp or HopByHop or Routing or Fragment or Authentication or Destination or Mobility or Hip or Shim6
                    ? XdpAction.Redirect : XdpAction.Drop;
            }
            if (ip.Length >= 64 && ip[6] == Icmp && ip[24] == 0xff && ip[40] == 135 && Lies(ip[48..], [OnLinkPrefix]))
                return XdpAction.Redirect;
        }
        if (program == Uplink || ip.Length < 40)
            return XdpAction.Pass;
        ReadOnlySpan<byte> backend = [.. Bytes(Backend), 0, 25];
        if (ip[6] == Icmp)
        {
            if (ip.Length < 88 || ip[40] is < 1 or > 4)
                return XdpAction.Pass;
            var quoted = ip[48..];
            return Ports(quoted, out _) is var embedded and > 0 && quoted[24..40].SequenceEqual(backend[..16]) && quoted.Slice(embedded + 2, 2).SequenceEqual(backend[16..])
                ? XdpAction.Redirect : XdpAction.Pass;
        }
        var ports = Ports(ip, out var fragment);
        if (ports > 0)
            return ip[8..24].SequenceEqual(backend[..16]) && ip.Slice(ports, 2).SequenceEqual(backend[16..]) ? XdpAction.Redirect : XdpAction.Pass;
        return fragment > 0 && ((ip[fragment + 2] << 8 | ip[fragment + 3]) & 0xFFF8) != 0 && isRemembered([.. ip[8..40], .. ip.Slice(fragment + 4, 4)])
            ? XdpAction.Redirect : XdpAction.Pass;

        static int Ports(ReadOnlySpan<byte> ip, out int fragment)
        {
            fragment = 0;
            var next = ip[6];
            var at = 40;
            for (var headers = 0; headers <= 6; headers++)
            {
                if (next == TcpNext)
                    return at + 4 <= ip.Length ? at : 0;
                if (next is not (HopByHop or Routing or Fragment or Authentication or Destination) || at + 8 > ip.Length)
                    return 0;
                if (next == Fragment)
                {
                    fragment = at;
                    if (((ip[at + 2] << 8 | ip[at + 3]) & 0xFFF8) != 0)
                        return 0;
                }
                var length = next switch { Fragment => 8, Authentication => (ip[at + 1] + 2) * 4, _ => (ip[at + 1] + 1) * 8 };
                next = ip[at];
                at += length;
            }
            return 0;
        }

        static bool Lies(ReadOnlySpan<byte> address, string[] prefixes)
        {
            foreach (var prefix in prefixes)
            {
                if (address[..6].SequenceEqual(Bytes(prefix).AsSpan(0, 6)))
                    return true;
            }
            return false;
        }
    }

    private void Check(string program, byte[] frame, XdpAction action, Role role, Reason reason, string name)
    {
        var counters = _object.Map(Counters);
        var before = Read();
        var seen = _object.Program(program).TestRun(frame);
        Assert.True(seen == action, $"{program}: {name}: {seen}, not {action}");
        var moved = Read().Zip(before, (after, then) => after - then).ToArray();
        Assert.True(moved.Aggregate((a, b) => a + b) == 1 && moved[CounterIndex(role, reason)] == 1, $"{program}: {name}: counted as {string.Join(' ', moved)}");

        ulong[] Read() => [.. Enumerable.Range(0, counters.MaxEntries).Select(i => counters.SumPerCpu((uint)i))];
    }

    private void Beat(TimeSpan fromNow) =>
        _object.Map(Heartbeat).Update(0u, (ulong)(Stopwatch.GetTimestamp() + (fromNow.Ticks * 100)));

    private void AddSockets(int queue = 0)
    {
        _object.Map(UplinkSockets).SetSocket(queue, _open.Socket);
        _object.Map(InsideSockets).SetSocket(queue, _open.Socket);
    }

    private static byte[] Bytes(string address) => IPAddress.Parse(address).GetAddressBytes();
}
