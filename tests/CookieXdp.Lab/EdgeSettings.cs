using System.Text;

namespace CookieXdp.Lab;

/// <summary>What a run may choose of the edge's configuration; the rest follows the topology.</summary>
public sealed record EdgeSettings
{
    /// <summary>Below this age a cookie is fresh.</summary>
    public string FreshFor { get; init; } = "1h";

    /// <summary>Below this age a cookie is stale, from then on expired.</summary>
    public string StaleFor { get; init; } = "48h";

    /// <summary>How long the same resolver gets the same answer.</summary>
    public string MintEvery { get; init; } = "320s";

    /// <summary>The template's TTL in seconds.</summary>
    public int TimeToLive { get; init; } = 300;

    /// <summary>Resolver prefixes on the banned list.</summary>
    public IReadOnlyList<string> BannedResolvers { get; init; } = [Topology.BannedResolver + "/32"];

    /// <summary>Client prefixes on the banned list.</summary>
    public IReadOnlyList<string> BannedClients { get; init; } = [];

    /// <summary>Flow table capacity.</summary>
    public int Flows { get; init; } = 65_536;

    /// <summary>Lines appended to the configuration.</summary>
    public string MoreConfiguration { get; init; } = "";

    /// <summary>Lines appended to the zone.</summary>
    public string MoreZone { get; init; } = "";

    internal string Configuration(string keyring, string bpfFileSystem) =>
        $"""
        keyring = "{keyring}"

        [[prefix]]
        prefix = "{Topology.Prefix}"

        [[prefix.service]]
        id = {Edge.SmtpService}
        name = "smtp"
        ports = [25]
        backend = "[{Topology.BackendAddress}]:25"
        freshFor = "{FreshFor}"
        staleFor = "{StaleFor}"
        mintEvery = "{MintEvery}"

        [keeper]
        master = "master"

        [edge]
        bpfFs = "{bpfFileSystem}"
        metrics = "{Edge.EngineMetricsAt}"
        flows = {Flows}

        [edge.uplink]
        interface = "{Topology.UplinkInterface}"
        gateway = "{Topology.InternetAddress}"

        [edge.inside]
        interface = "{Topology.InsideInterface}"

        [policy]
        bannedResolvers = "banned-resolvers.txt"
        bannedClients = "banned-clients.txt"

        [dns]
        listen = ["{Topology.EdgeAddress4}:53", "[{Topology.EdgeAddress}]:53"]
        metrics = "{Edge.DnsMetricsAt}"

        [[dns.zone]]
        name = "{Edge.ZoneName}"
        file = "{Edge.ZoneName}.zone"

        {MoreConfiguration}
        """;

    internal string Zone() =>
        $"""
        $ORIGIN {Edge.ZoneName}.
        $TTL {TimeToLive}
        @ IN SOA ns.example.net. hostmaster.example.com. 1 3600 600 86400 60
        @ IN NS ns.example.net.
        @ IN AAAA 2001:db8:25::{Edge.SmtpService:x}
        {MoreZone}
        """;

    internal static string List(IReadOnlyList<string> prefixes) =>
        prefixes.Aggregate(new StringBuilder("# one prefix a line\n"), (text, prefix) => text.Append(prefix).Append('\n')).ToString();
}
