using System.Net;
using System.Net.Sockets;
using CookieXdp.Cookies;
using Cookie = CookieXdp.Cookies.Cookie;

namespace CookieXdp.Hosting;

/// <summary>Reads the configuration file, and says everything that is wrong with it at once.</summary>
public static class SettingsFile
{
    /// <summary>Where the programs look when they are not told.</summary>
    public const string DefaultPath = "/etc/cookiexdp/cookiexdp.toml";

    private const long MaxStaleFor = 48 * 3600;

    /// <summary>Reads a file.</summary>
    /// <exception cref="SettingsException">The file cannot be read or has mistakes.</exception>
    public static Settings Load(string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException([new(path, 0, 0, "", e is FileNotFoundException or DirectoryNotFoundException
                ? "there is no such configuration file; name another with --config"
                : e.Message)]);
        }
        return Parse(path, text);
    }

    /// <summary>Reads a file's text.</summary>
    /// <param name="path">Its path: named in errors, and relative paths in it start at its folder.</param>
    /// <param name="text">Its text.</param>
    /// <exception cref="SettingsException">The text has mistakes.</exception>
    public static Settings Parse(string path, string text)
    {
        var root = TomlSection.Read(path, text);
        if (root.Errors.Count > 0)
            throw new SettingsException(root.Errors);
        var prefixes = ReadPrefixes(root);
        var keyring = root.File("keyring", "\"/run/cookiexdp/keyring\"") ?? "/run/cookiexdp/keyring";
        var settings = new Settings(
            path,
            keyring,
            prefixes,
            root.Section("keeper") is { } keeper ? new KeeperSettings(keeper.File("master", "\"/var/lib/cookiexdp/master\"", required: true) ?? "") : null,
            root.Section("edge") is { } edge ? ReadEdge(edge, keyring) : null,
            root.Section("policy") is { } policy ? ReadPolicy(policy) : new PolicySettings(Observe: false, BannedResolvers: null, BannedClients: null),
            root.Section("dns") is { } dns ? ReadDns(dns) : null);
        if (settings.Dns is not null)
        {
            foreach (var endPoint in settings.Dns.Listen.Where(endPoint => IsProtected(endPoint.Address, prefixes)))
                root.Section("dns")!.Report("listen", $"{endPoint} lies inside a protected prefix, where nothing real may live: listen at an address outside");
        }
        foreach (var (name, address) in new[] { ("uplink", settings.Edge?.Uplink.Address), ("inside", settings.Edge?.Inside.Address) })
        {
            if (address is not null && IsProtected(address, prefixes))
                root.Section("edge")!.Section(name)!.Report("address", $"{address} lies inside a protected prefix, where nothing real may live: give an address of this host's own");
        }
        root.ReportUnknownKeys();
        return root.Errors.Count == 0
            ? settings
            : throw new SettingsException([.. root.Errors.OrderBy(error => error.Line).ThenBy(error => error.Column)]);
    }

    private static List<PrefixSettings> ReadPrefixes(TomlSection root)
    {
        var prefixes = new List<PrefixSettings>();
        var backends = new List<(TomlSection Section, IPEndPoint Backend)>();
        var hasEdge = root.Section("edge") is not null;
        var sections = root.Sections("prefix");
        foreach (var section in sections)
        {
            if (section.Prefix("prefix") is not { } prefix)
                continue;
            if (prefixes.Exists(other => other.Prefix == prefix))
                section.Report("prefix", $"{prefix} stands here twice");
            prefixes.Add(new(prefix, ReadServices(section, hasEdge, backends)) { OnLink = section.Flag("onLink") });
        }
        if (sections.Count == 0)
            root.Report("prefix", "is missing: name the protected prefix, for example [[prefix]] with prefix = \"2001:db8:25::/48\"");
        foreach (var (section, backend) in backends)
        {
            if (IsProtected(backend.Address, prefixes))
                section.Report("backend", $"{backend} lies inside a protected prefix, where nothing real may live: give the backend an address outside");
        }
        return prefixes;
    }

    private static bool IsProtected(IPAddress address, List<PrefixSettings> prefixes) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 && prefixes.Exists(prefix => prefix.Prefix.Contains(address.GetAddressBytes()));

    private static List<ServiceSettings> ReadServices(TomlSection prefix, bool hasEdge, List<(TomlSection Section, IPEndPoint Backend)> backends)
    {
        var services = new List<ServiceSettings>();
        var sections = prefix.Sections("service");
        foreach (var section in sections)
        {
            // A number that is wrong has been reported; the rest of the service is read all the same.
            var id = section.Number("id", 0, Cookie.MaxService, "the service's number, 0 to 15, as in its template address: id = 1") ?? -1;
            if (id >= 0 && services.Exists(other => other.Id == id))
                section.Report("id", $"service {id} stands twice in this prefix");
            var freshFor = section.Duration("freshFor", 3600, 64, MaxStaleFor);
            var staleFor = section.Duration("staleFor", MaxStaleFor, 64, MaxStaleFor);
            if (staleFor < freshFor)
                section.Report("staleFor", $"must not be less than freshFor ({TomlSection.FormatDuration(freshFor)})");
            var mintEvery = section.Duration("mintEvery", CookieTime.DefaultMintEvery, CookieTime.TickSeconds, CookieTime.EpochSeconds);
            if (!CookieTime.IsMintInterval(mintEvery))
                section.Report("mintEvery", "must be a multiple of 64 seconds that divides a day: 64, 128, 192, 320, 384, 576, 640, …");
            else if (freshFor < mintEvery + CookieTime.FutureTolerance)
                section.Report("freshFor", $"must be at least mintEvery + 128 s = {mintEvery + CookieTime.FutureTolerance} s (and the answer's TTL more), or answers would be stale when they arrive");
            var backend = section.EndPoint("backend", "\"[fd00:25::25]:25\"");
            if (backend is { AddressFamily: not AddressFamily.InterNetworkV6 } || backend?.Address.IsIPv4MappedToIPv6 == true)
                section.Report("backend", "must have an IPv6 address: the protected prefix is IPv6, and nothing is translated to IPv4");
            else if (backend is not null && (backend.Address.IsIPv6LinkLocal || backend.Address.IsIPv6Multicast || backend.Address.Equals(IPAddress.IPv6Any) || IPAddress.IsLoopback(backend.Address)))
                section.Report("backend", $"{backend.Address} is no address that the engine can send to: give the backend's own, a global or unique local one");
            else if (hasEdge && backend is null)
                section.Report("backend", "is missing; for example backend = \"[fd00:25::25]:25\"");
            else if (backend is not null)
                backends.Add((section, backend));
            var knocking = section.Flag("knocking");
            services.Add(new((int)id, section.Text("name", "\"smtp\"") ?? $"service{id}", section.NumberList("ports", 1, 65535, "[25]"), backend, freshFor, staleFor, (int)mintEvery)
            {
                Knocking = knocking,
                Expired = ReadExpired(section, knocking),
            });
        }
        if (sections.Count == 0)
            prefix.Report("service", "is missing: name at least one, as [[prefix.service]] with id, ports and backend");
        return services;
    }

    private static ExpiredReply ReadExpired(TomlSection service, bool knocking)
    {
        var word = service.Word("expired", knocking ? "drop" : "reset", "reset", "unreachable", "drop");
        if (knocking && word != "drop")
            service.Report("expired", "must be \"drop\", or left out, for a knocking service: it answers nobody whose cookie is not good");
        return word switch { "reset" => ExpiredReply.Reset, "unreachable" => ExpiredReply.Unreachable, _ => ExpiredReply.Drop };
    }

    private static EdgeSettings ReadEdge(TomlSection edge, string keyring)
    {
        var uplink = ReadInterface(edge, "uplink", hasWhenDown: true);
        var inside = ReadInterface(edge, "inside", hasWhenDown: false);
        if (uplink.Interface.Length > 0 && uplink.Interface == inside.Interface)
            edge.Report("inside", $"is the same interface as uplink ({inside.Interface}): each needs its own");
        return new(
            edge.File("bpfFs", "\"/sys/fs/bpf\"") ?? "/sys/fs/bpf",
            edge.EndPoint("metrics", "\"127.0.0.1:9125\""),
            (int)(edge.Number("flows", 1024, 16 * 1024 * 1024) ?? 65536),
            edge.File("flowFile", "\"/dev/shm/cookiexdp.flows\"") ?? DefaultFlowFile(keyring),
            edge.Duration("rebuildFor", 600, 0, 24 * 3600),
            uplink,
            inside)
        {
            AnswersPings = edge.Word("ping", "answer", "answer", "drop") == "answer",
        };
    }

    /// <summary>Named after the folder of the keyring, as the engine's lock is: engines of two configurations do not meet.</summary>
    private static string DefaultFlowFile(string keyring) => $"/dev/shm/cookiexdp{Path.GetDirectoryName(keyring)?.Replace('/', '-')}.flows";

    private static InterfaceSettings ReadInterface(TomlSection edge, string name, bool hasWhenDown)
    {
        if (edge.Section(name) is not { } section)
        {
            edge.Report(name, $"is missing: name the interface, as [edge.{name}] with interface = \"eth1\"");
            return new("", Gateway: null, PassWhenDown: false);
        }
        var device = section.Text("interface", "\"eth1\"", required: true) ?? "";
        if (device.Length > 15)
            section.Report("interface", $"'{device}' is longer than the 15 characters of an interface's name");
        var gateway = section.Address("gateway", "\"2001:db8:1::1\"");
        if (gateway is { AddressFamily: not AddressFamily.InterNetworkV6 })
            section.Report("gateway", "must be an IPv6 address: the next hop of IPv6 frames");
        var address = section.Address("address", "\"2001:db8:1::1\"");
        if (address is not null && (address.AddressFamily != AddressFamily.InterNetworkV6 || address.IsIPv6LinkLocal || address.IsIPv6Multicast
            || address.IsIPv4MappedToIPv6 || address.Equals(IPAddress.IPv6Any) || IPAddress.IsLoopback(address)))
            section.Report("address", $"{address} is no address that others could know this host by: give a global or unique local IPv6 address of its own");
        var vlan = section.NumberList("vlan", 1, 4094, "[100]", required: false);
        if (vlan.Count > 2)
            section.Report("vlan", "must hold two numbers at most, the outer tag's first: [100], or [10, 100]");
        return new(device, gateway, hasWhenDown && section.Word("whenDown", "drop", "drop", "pass") == "pass") { VlanTags = vlan, Address = address };
    }

    private static PolicySettings ReadPolicy(TomlSection policy) => new(
        policy.Word("mode", "enforce", "enforce", "observe") == "observe",
        policy.File("bannedResolvers", "\"banned-resolvers.txt\""),
        policy.File("bannedClients", "\"banned-clients.txt\""));

    private static DnsSettings ReadDns(TomlSection dns)
    {
        var zones = new List<ZoneSettings>();
        var sections = dns.Sections("zone");
        foreach (var section in sections)
        {
            var name = section.Text("name", "\"mx.example.com\"", required: true)?.TrimEnd('.').ToLowerInvariant();
            var file = section.File("file", "\"mx.example.com.zone\"", required: true);
            if (name is null || file is null)
                continue;
            if (zones.Exists(other => other.Name == name))
                section.Report("name", $"{name} stands here twice");
            zones.Add(new(name, file));
        }
        if (sections.Count == 0)
            dns.Report("zone", "is missing: name at least one zone, as [[dns.zone]] with name and file");
        return new(
            dns.EndPointList("listen", 53, "[\"192.0.2.1\", \"[2001:db8::1]:53\"]"),
            dns.EndPoint("metrics", "\"127.0.0.1:9126\""),
            zones);
    }
}
