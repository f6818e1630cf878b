using System.Net;
using System.Net.NetworkInformation;
using CookieXdp.Cookies;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// The packet path with a configuration of its own, over memory: service 1 (ports 25 and 587), service 5 (port 22, knocking), one backend.
/// </summary>
internal sealed unsafe class Rig : IDisposable
{
    public const long Now = 1_700_000_000;
    public const string Client = "2001:db8:c::7";
    public const string Backend = "fd00:25::25";
    public const string UplinkMac = "02:00:00:00:00:0e";
    public const string GatewayMac = "02:00:00:00:00:0c";
    public const string InsideMac = "02:00:00:00:00:aa";
    public const string BackendMac = "02:00:00:00:00:bb";

    public static readonly CookiePrefix Prefix = CookiePrefix.Parse("2001:db8:25::/48");
    public static readonly PrefixKeys Keys = PrefixKeys.Derive(MasterSecret.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]), Prefix, Now);

    private readonly PacketPath _path;
    private readonly GuardedMemory _memory = new();
    private long _sent;
    private long _passed;

    /// <param name="flows">Room in the flow table.</param>
    /// <param name="policy">Whom to let in; null: all.</param>
    /// <param name="table">The table; null: one of its own.</param>
    /// <param name="withAnswers">Whether the engine answers all that it can; else it has no addresses to send errors from, and answers nothing.</param>
    public Rig(int flows = 64, PolicyRules? policy = null, FlowTable? table = null, bool withAnswers = false)
    {
        Flows = table ?? new FlowTable(flows);
        _path = new PacketPath(Flows, Counters);
        Snapshot = new PathSnapshot(
            [Rules(withAnswers ? ExpiredAnswer.Reset : ExpiredAnswer.Drop, onLink: false)],
            policy ?? PolicyRules.AcceptAll,
            [new Backend(BackendAddress.From(IPAddress.Parse(Backend).GetAddressBytes(), 2525), new NextHop(PhysicalAddress.Parse(BackendMac), PhysicalAddress.Parse(InsideMac)))],
            new NextHop(PhysicalAddress.Parse(GatewayMac), PhysicalAddress.Parse(UplinkMac)))
        {
            Uplink = new SideRules(PhysicalAddress.Parse(UplinkMac), 1500, withAnswers ? IPAddress.Parse("2001:db8:e::1") : null),
            Inside = new SideRules(PhysicalAddress.Parse(InsideMac), 1500, withAnswers ? IPAddress.Parse("fd00:25::1") : null),
            AnswersPings = withAnswers,
        };
    }

    /// <summary>What became of a frame.</summary>
    /// <param name="Drop">Why it went no further.</param>
    /// <param name="Out">The side it leaves by.</param>
    /// <param name="Frame">The frame as it leaves.</param>
    public sealed record Outcome(DropReason Drop, Side Out, byte[] Frame);

    public FlowTable Flows { get; }

    public WorkerCounters Counters { get; } = new();

    public PathSnapshot Snapshot { get; set; }

    public uint Uptime { get; set; } = 1000;

    public static string Mint(string resolver = "192.0.2.53", int service = 1, long age = 0)
    {
        Span<byte> address = stackalloc byte[16];
        Assert.True(Keys.TryMint(ResolverNetwork.FromAddress(IPAddress.Parse(resolver)), Now - age, service, verified: false, ecs: false, address));
        return new IPAddress(address).ToString();
    }

    /// <summary>The rules of the prefix.</summary>
    public PrefixRules Rules(ExpiredAnswer whenExpired, bool onLink)
    {
        var services = new ServiceRules?[16];
        services[1] = new ServiceRules([25, 587], 0, FreshFor: 3600, StaleFor: 7200) { WhenExpired = whenExpired };
        services[5] = new ServiceRules([22], 0, FreshFor: 3600, StaleFor: 7200) { WhenExpired = whenExpired, IsKnocking = true };
        return new PrefixRules(Prefix, Keys, services) { IsOnLink = onLink };
    }

    /// <summary>Sends one frame through the path; where it leaves with its length unchanged, it is changed in place.</summary>
    public DropReason Send(byte[] frame, Side from = Side.Uplink)
    {
        var outcome = Exchange(frame, from);
        if (outcome.Frame.Length == frame.Length)
            outcome.Frame.CopyTo(frame, 0);
        return outcome.Drop;
    }

    /// <summary>Sends one frame through the path, from memory where a byte read or written outside of it kills the test.</summary>
    public Outcome Exchange(ReadOnlySpan<byte> frame, Side from)
    {
        var placed = _memory.Place(frame);
        var one = new Frame { Data = placed, Handle = 7, Length = frame.Length };
        Send(new Span<Frame>(ref one), from);
        Assert.True(_memory.IsUntouchedBefore(placed), "bytes before the headroom were written to");
        Assert.Equal(7ul, one.Handle);
        if (one.Drop != DropReason.None)
            return new(one.Drop, one.Out, []);
        Assert.True(_memory.Contains(placed, one.Data, one.Length), "a frame leaves that is not within its memory");
        return new(DropReason.None, one.Out, new ReadOnlySpan<byte>(one.Data, one.Length).ToArray());
    }

    public void Send(Span<Frame> frames, Side from = Side.Uplink)
    {
        _path.Process(frames, from, Snapshot, Now, Uptime);
        _sent += frames.Length;
        foreach (ref readonly var frame in frames)
            _passed += frame.Drop == DropReason.None ? 1 : 0;
    }

    public DropReason Send(Packet packet, Side from = Side.Uplink) => Send(packet.ToBytes(), from);

    /// <summary>Frames in are frames out and drops by reason, exactly.</summary>
    public void AssertEveryFrameIsAccountedFor()
    {
        Assert.Equal(_sent, Counters.FramesReceived(Side.Uplink) + Counters.FramesReceived(Side.Inside));
        Assert.Equal(_sent, _passed + Enum.GetValues<DropReason>().Sum(Counters.Dropped));
        Assert.Equal(0, Counters.Dropped(DropReason.None));
    }

    /// <summary>Takes a connection to its established state and returns the client's packets' form.</summary>
    public Packet Establish(string? cookie = null, int port = 40000)
    {
        var client = new Packet { Source = Client, SourcePort = port, Destination = cookie ?? Mint() };
        Assert.Equal(DropReason.None, Send(client));
        Assert.Equal(DropReason.None, Send(Reply(port) with { Flags = TcpFlags.Syn | TcpFlags.Ack, Sequence = 5000 }, Side.Inside));
        Assert.Equal(DropReason.None, Send(client with { Flags = TcpFlags.Ack, Sequence = 1001, Acknowledgment = 5001 }));
        return client with { Flags = TcpFlags.Ack, Sequence = 1001, Acknowledgment = 5001 };
    }

    public static Packet Reply(int clientPort = 40000) => new()
    {
        Source = Backend, SourcePort = 2525, Destination = Client, DestinationPort = clientPort, Flags = TcpFlags.Ack, Sequence = 5001, Acknowledgment = 1001,
        SourceMac = BackendMac, DestinationMac = InsideMac,
    };

    public static PolicyRules Banning(string resolvers, string clients, bool observe = false) => new(
        observe,
        PrefixList.Parse("resolvers", System.Text.Encoding.UTF8.GetBytes(resolvers), 32, 44, out _),
        PrefixList.Parse("resolvers", System.Text.Encoding.UTF8.GetBytes(resolvers), 24, 44, out _),
        PrefixList.Parse("clients", System.Text.Encoding.UTF8.GetBytes(clients), 32, 128, out _));

    public void Dispose()
    {
        _path.Dispose();
        Flows.Dispose();
        Counters.Dispose();
        _memory.Dispose();
    }
}
