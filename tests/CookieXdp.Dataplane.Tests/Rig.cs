using System.Net;
using System.Net.NetworkInformation;
using CookieXdp.Cookies;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>The packet path with a configuration of its own, over memory: one service (1, ports 25 and 587), one backend.</summary>
internal sealed unsafe class Rig : IDisposable
{
    public const long Now = 1_700_000_000;
    public const string Client = "2001:db8:c::7";
    public const string Backend = "fd00:25::25";

    public static readonly CookiePrefix Prefix = CookiePrefix.Parse("2001:db8:25::/48");
    public static readonly PrefixKeys Keys = PrefixKeys.Derive(MasterSecret.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]), Prefix, Now);

    private readonly PacketPath _path;

    public Rig(int flows = 64, PolicyRules? policy = null, FlowTable? table = null)
    {
        Flows = table ?? new FlowTable(flows);
        _path = new PacketPath(Flows, Counters);
        var services = new ServiceRules?[16];
        services[1] = new ServiceRules([25, 587], 0, FreshFor: 3600, StaleFor: 7200);
        Snapshot = new PathSnapshot(
            [new PrefixRules(Prefix, Keys, services)],
            policy ?? PolicyRules.AcceptAll,
            [new Backend(BackendAddress.From(IPAddress.Parse(Backend).GetAddressBytes(), 2525), new NextHop(PhysicalAddress.Parse("02-00-00-00-00-BB"), PhysicalAddress.Parse("02-00-00-00-00-AA")))],
            new NextHop(PhysicalAddress.Parse("02-00-00-00-00-0C"), PhysicalAddress.Parse("02-00-00-00-00-0E")));
    }

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

    /// <summary>Sends one frame through the path; it is changed in place.</summary>
    public DropReason Send(byte[] frame, Side from = Side.Uplink)
    {
        fixed (byte* data = frame)
        {
            var one = new Frame { Data = data, Length = frame.Length };
            _path.Process(new Span<Frame>(ref one), from, Snapshot, Now, Uptime);
            return one.Drop;
        }
    }

    public void Send(Span<Frame> frames, Side from = Side.Uplink) => _path.Process(frames, from, Snapshot, Now, Uptime);

    public DropReason Send(Packet packet, Side from = Side.Uplink) => Send(packet.ToBytes(), from);

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
        SourceMac = "02:00:00:00:00:bb", DestinationMac = "02:00:00:00:00:aa",
    };

    public static PolicyRules Banning(string resolvers, string clients, bool observe = false) => new(
        observe,
        PrefixList.Parse("resolvers", System.Text.Encoding.UTF8.GetBytes(resolvers), 32, 44, out _),
        PrefixList.Parse("resolvers", System.Text.Encoding.UTF8.GetBytes(resolvers), 24, 44, out _),
        PrefixList.Parse("clients", System.Text.Encoding.UTF8.GetBytes(clients), 32, 128, out _));

    public void Dispose()
    {
        Flows.Dispose();
        Counters.Dispose();
    }
}
