using System.Net;

namespace CookieXdp.Lab;

/// <summary>
/// Three machines and two wires, single-queue veth pairs:
/// <c>internet (wire) ── (uplink) edge (inside) ── (server) mail</c>.
/// The prefix is routed to the edge, where the kernel has it as unreachable: only the engine can bring it further.
/// Capture at <c>wire</c> and <c>server</c>: at the edge's ends, frames that an AF_XDP socket takes or sends pass no tap.
/// </summary>
public sealed class Topology : IAsyncDisposable
{
    /// <summary>The internet's interface towards the edge.</summary>
    public const string WireInterface = "wire";

    /// <summary>The edge's interface towards the internet.</summary>
    public const string UplinkInterface = "uplink";

    /// <summary>The edge's interface towards the backend.</summary>
    public const string InsideInterface = "inside";

    /// <summary>The backend's interface towards the edge.</summary>
    public const string ServerInterface = "server";

    /// <summary>The protected prefix.</summary>
    public const string Prefix = "2001:db8:25::/48";

    /// <summary>The one prefix the internet's IPv6 callers come from.</summary>
    public const string InternetPrefix = "2001:db8:1::/64";

    private readonly List<IAsyncDisposable> _made = [];

    private Topology()
    {
    }

    /// <summary>Where resolvers, senders and scanners live.</summary>
    public Namespace Internet { get; private set; } = null!;

    /// <summary>Where the engine and the DNS server run.</summary>
    public Namespace Edge { get; private set; } = null!;

    /// <summary>Where the backend runs.</summary>
    public Namespace Mail { get; private set; } = null!;

    /// <summary>The edge's address on the uplink, IPv6.</summary>
    public static IPAddress EdgeAddress { get; } = IPAddress.Parse("2001:db8:1::1");

    /// <summary>The edge's address on the uplink, IPv4.</summary>
    public static IPAddress EdgeAddress4 { get; } = IPAddress.Parse("192.0.2.1");

    /// <summary>The internet's address, IPv6: callers' source and the edge's next hop.</summary>
    public static IPAddress InternetAddress { get; } = IPAddress.Parse("2001:db8:1::2");

    /// <summary>The address of the resolver that nobody minds.</summary>
    public static IPAddress GoodResolver { get; } = IPAddress.Parse("192.0.2.53");

    /// <summary>The address of the resolver on the banned list.</summary>
    public static IPAddress BannedResolver { get; } = IPAddress.Parse("198.51.100.66");

    /// <summary>The backend's address.</summary>
    public static IPAddress BackendAddress { get; } = IPAddress.Parse("fd00:25::25");

    /// <summary>The edge's address on the inside.</summary>
    public static IPAddress EdgeInsideAddress { get; } = IPAddress.Parse("fd00:25::1");

    /// <summary>Makes it.</summary>
    /// <param name="id">What tells its namespaces from those of another run.</param>
    /// <exception cref="LabException">A step failed; what had been made is gone again.</exception>
    public static async Task<Topology> CreateAsync(string id)
    {
        var topology = new Topology();
        try
        {
            topology.Internet = await topology.AddAsync($"cx{id}-internet");
            topology.Edge = await topology.AddAsync($"cx{id}-edge");
            topology.Mail = await topology.AddAsync($"cx{id}-mail");
            await topology.ConnectAsync();
            return topology;
        }
        catch
        {
            await topology.DisposeAsync();
            throw;
        }
    }

    /// <summary>One more address for the internet's machine, for a caller that is somebody else.</summary>
    /// <param name="address">An address that the edge routes there: inside <see cref="InternetPrefix"/>, 192.0.2.0/24 or 198.51.100.0/24.</param>
    public async Task AddInternetAddressAsync(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork)
            await Internet.RunAsync("ip", "address", "add", $"{address}/32", "dev", WireInterface);
        else
            await Internet.RunAsync("ip", "address", "add", $"{address}/128", "dev", WireInterface, "nodad");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        for (var i = _made.Count - 1; i >= 0; i--)
            await _made[i].DisposeAsync();
        _made.Clear();
    }

    private async Task<Namespace> AddAsync(string name)
    {
        var added = await Namespace.CreateAsync(name);
        _made.Add(added);
        return added;
    }

    private async Task ConnectAsync()
    {
        // Born inside the namespaces, so that the machine's own list of links never shows them.
        await PairAsync(Internet, WireInterface, Edge, UplinkInterface);
        await PairAsync(Edge, InsideInterface, Mail, ServerInterface);

        // One batch a namespace: a process per line would take most of the lab's second.
        await BatchAsync(Edge,
            $"address add {EdgeAddress}/64 dev {UplinkInterface} nodad",
            $"address add {EdgeAddress4}/24 dev {UplinkInterface}",
            $"address add {EdgeInsideAddress}/64 dev {InsideInterface} nodad",
            $"link set {UplinkInterface} up",
            $"link set {InsideInterface} up",
            $"route add 198.51.100.0/24 via {GoodResolver} dev {UplinkInterface}",
            $"route add unreachable {Prefix}");
        await BatchAsync(Internet,
            $"address add {InternetAddress}/64 dev {WireInterface} nodad",
            $"address add {GoodResolver}/24 dev {WireInterface}",
            $"address add {BannedResolver}/32 dev {WireInterface}",
            $"link set {WireInterface} up",
            $"route add {Prefix} via {EdgeAddress} dev {WireInterface}",
            $"route add fd00:25::/64 via {EdgeAddress} dev {WireInterface}");
        await BatchAsync(Mail,
            $"address add {BackendAddress}/64 dev {ServerInterface} nodad",
            $"link set {ServerInterface} up",
            $"route add default via {EdgeInsideAddress} dev {ServerInterface}");

        await Edge.RunAsync("sysctl", "-q", "-w",
            "net.ipv6.conf.all.forwarding=1",
            "net.ipv4.ip_forward=1");

        // A redirect would send the backend's replies round the engine.
        await Mail.RunAsync("sysctl", "-q", "-w",
            "net.ipv6.conf.all.accept_redirects=0",
            $"net.ipv6.conf.{ServerInterface}.accept_redirects=0");
    }

    private static async Task PairAsync(Namespace left, string leftName, Namespace right, string rightName)
    {
        (await new Command("ip", "link", "add", leftName, "netns", left.Name, "numtxqueues", "1", "numrxqueues", "1",
            "type", "veth", "peer", "name", rightName, "netns", right.Name, "numtxqueues", "1", "numrxqueues", "1").RunAsync()).Demand();

        // A local stack hands a veth packets whose checksum nobody has filled in and segments larger than a frame; a wire has neither.
        foreach (var (end, name) in new[] { (left, leftName), (right, rightName) })
            await end.RunAsync("ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off", "rxvlan", "off", "txvlan", "off");
    }

    private static async Task BatchAsync(Namespace where, params string[] lines) =>
        (await new Command("ip", "-batch", "-") { In = where, Input = string.Join('\n', lines) + "\n" }.RunAsync()).Demand();
}
