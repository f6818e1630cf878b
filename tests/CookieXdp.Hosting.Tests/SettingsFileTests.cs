using System.Net;
using System.Text;
using CookieXdp.Cookies;
using CsCheck;

namespace CookieXdp.Hosting.Tests;

/// <summary>The configuration file: what it says, and what is said of a wrong one.</summary>
public sealed class SettingsFileTests
{
    private const string Whole = """
        keyring = "/run/keyring"

        [[prefix]]
        prefix = "2001:db8:25::/48"

        [[prefix.service]]
        id = 1
        name = "smtp"
        ports = [25, 587]
        backend = "[fd00:25::25]:2525"
        freshFor = "2h"
        staleFor = "1d"
        mintEvery = 640

        [[prefix.service]]
        id = 2
        ports = [22]
        backend = "[fd00:25::22]:22"

        [keeper]
        master = "master"

        [edge]
        bpfFs = "/sys/fs/bpf"
        metrics = "127.0.0.1:9125"
        flows = 4096
        flowFile = "flows"
        rebuildFor = "5m"

        [edge.uplink]
        interface = "eth1"
        gateway = "fe80::1"
        whenDown = "pass"

        [edge.inside]
        interface = "eth2"

        [policy]
        mode = "observe"
        bannedResolvers = "lists/resolvers.txt"

        [dns]
        listen = ["192.0.2.1", "[2001:db8::1]:5353"]
        metrics = "[::1]:9126"

        [[dns.zone]]
        name = "MX.example.com."
        file = "/etc/zone"
        """;

    [Fact]
    public void Everything_that_is_written_is_read()
    {
        var settings = SettingsFile.Parse("/etc/cookiexdp/x.toml", Whole);
        Assert.Equal("/run/keyring", settings.Keyring);
        var prefix = Assert.Single(settings.Prefixes);
        Assert.Equal(CookiePrefix.Parse("2001:db8:25::/48"), prefix.Prefix);
        Assert.Equal(["smtp", "service2"], prefix.Services.Select(service => service.Name));
        var smtp = prefix.ServiceOf(1)!;
        Assert.Equal([25, 587], smtp.Ports);
        Assert.Equal(IPEndPoint.Parse("[fd00:25::25]:2525"), smtp.Backend);
        Assert.Equal((7200, 86400, 640), (smtp.FreshFor, smtp.StaleFor, smtp.MintEvery));
        var ssh = prefix.ServiceOf(2)!;
        Assert.Equal((3600, 172800, 320), (ssh.FreshFor, ssh.StaleFor, ssh.MintEvery));
        Assert.Null(prefix.ServiceOf(3));
        Assert.Equal("/etc/cookiexdp/master", settings.Keeper!.Master);
        Assert.Equal(new EdgeSettings("/sys/fs/bpf", IPEndPoint.Parse("127.0.0.1:9125"), 4096, "/etc/cookiexdp/flows", 300,
            new InterfaceSettings("eth1", IPAddress.Parse("fe80::1"), PassWhenDown: true), new InterfaceSettings("eth2", Gateway: null, PassWhenDown: false)), settings.Edge);
        Assert.Equal(new PolicySettings(Observe: true, "/etc/cookiexdp/lists/resolvers.txt", BannedClients: null), settings.Policy);
        Assert.Equal([IPEndPoint.Parse("192.0.2.1:53"), IPEndPoint.Parse("[2001:db8::1]:5353")], settings.Dns!.Listen);
        Assert.Equal([new ZoneSettings("mx.example.com", "/etc/zone")], settings.Dns.Zones);
    }

    [Fact]
    public void Flows_that_nobody_placed_lie_in_memory_under_the_name_of_the_keyrings_folder()
    {
        var edge = SettingsFile.Parse("x.toml", Whole.Replace("flowFile = \"flows\"", "", StringComparison.Ordinal)
            .Replace("rebuildFor = \"5m\"", "", StringComparison.Ordinal).Replace("/run/keyring", "/run/mail/edge/keyring", StringComparison.Ordinal)).Edge!;
        Assert.Equal(("/dev/shm/cookiexdp-run-mail-edge.flows", 600), (edge.FlowFile, edge.RebuildFor));
    }

    [Fact]
    public void What_the_engine_answers_is_as_the_design_says_unless_the_file_says_otherwise()
    {
        var settings = SettingsFile.Parse("x.toml", Whole);
        var prefix = settings.Prefixes[0];
        Assert.Equal((false, true), (prefix.OnLink, settings.Edge!.AnswersPings));
        Assert.Equal((false, ExpiredReply.Reset), (prefix.Services[0].Knocking, prefix.Services[0].Expired));
        Assert.Empty(settings.Edge.Uplink.VlanTags);
        Assert.Null(settings.Edge.Uplink.Address);

        settings = SettingsFile.Parse("x.toml", Whole
            .Replace("prefix = \"2001:db8:25::/48\"", "prefix = \"2001:db8:25::/48\"\nonLink = true", StringComparison.Ordinal)
            .Replace("ports = [25, 587]", "ports = [25, 587]\nexpired = \"unreachable\"", StringComparison.Ordinal)
            .Replace("ports = [22]", "ports = [22]\nknocking = true", StringComparison.Ordinal)
            .Replace("flows = 4096", "flows = 4096\nping = \"drop\"", StringComparison.Ordinal)
            .Replace("interface = \"eth1\"", "interface = \"eth1\"\nvlan = [10, 100]\naddress = \"2001:db8:1::1\"", StringComparison.Ordinal)
            .Replace("interface = \"eth2\"", "interface = \"eth2\"\nvlan = [7]", StringComparison.Ordinal));
        prefix = settings.Prefixes[0];
        Assert.Equal((true, false), (prefix.OnLink, settings.Edge!.AnswersPings));
        Assert.Equal((false, ExpiredReply.Unreachable), (prefix.Services[0].Knocking, prefix.Services[0].Expired));
        Assert.Equal((true, ExpiredReply.Drop), (prefix.Services[1].Knocking, prefix.Services[1].Expired));
        Assert.Equal([10, 100], settings.Edge.Uplink.VlanTags);
        Assert.Equal(IPAddress.Parse("2001:db8:1::1"), settings.Edge.Uplink.Address);
        Assert.Equal([7], settings.Edge.Inside.VlanTags);
    }

    [Fact]
    public void A_host_that_only_answers_DNS_needs_no_backend_and_no_edge()
    {
        var settings = SettingsFile.Parse("x.toml", """
            [[prefix]]
            prefix = "2001:db8:25::/48"
            [[prefix.service]]
            id = 1
            ports = [25]
            """);
        Assert.Null(settings.Edge);
        Assert.Null(settings.Prefixes[0].Services[0].Backend);
    }

    /// <summary>A line of the whole file, what it is replaced by, and how the one error must begin.</summary>
    public static TheoryData<string, string, string> Mistakes => new()
    {
        { "keyring = \"/run/keyring\"", "keyrin = \"/run/keyring\"", "x.toml:1:1: keyrin: unknown key" },
        { "prefix = \"2001:db8:25::/48\"", "prefix = \"2001:db8:25::/47\"", "x.toml:4:1: prefix.prefix: " },
        { "id = 1", "id = 16", "x.toml:7:1: prefix.service.id: must be a whole number from 0 to 15" },
        { "id = 1", "id = 2", "x.toml:16:1: prefix.service.id: service 2 stands twice" },
        { "id = 1", "", "x.toml:6:1: prefix.service.id: is missing" },
        { "ports = [22]", "ports = []", "x.toml:17:1: prefix.service.ports: must hold at least one" },
        { "ports = [22]", "ports = [22, 22]", "x.toml:17:1: prefix.service.ports: must hold whole numbers" },
        { "ports = [22]", "ports = [65536]", "x.toml:17:1: prefix.service.ports: must hold whole numbers" },
        { "backend = \"[fd00:25::22]:22\"", "", "x.toml:15:1: prefix.service.backend: is missing" },
        { "backend = \"[fd00:25::22]:22\"", "backend = \"fd00:25::22\"", "x.toml:18:1: prefix.service.backend: " },
        { "backend = \"[fd00:25::22]:22\"", "backend = \"192.0.2.1:22\"", "x.toml:18:1: prefix.service.backend: must have an IPv6 address" },
        { "backend = \"[fd00:25::22]:22\"", "backend = \"[2001:db8:25::22]:22\"", "x.toml:18:1: prefix.service.backend: [2001:db8:25::22]:22 lies inside a protected prefix" },
        { "freshFor = \"2h\"", "freshFor = \"2 hours\"", "x.toml:11:1: prefix.service.freshFor: must be a time" },
        { "freshFor = \"2h\"", "freshFor = \"3d\"", "x.toml:11:1: prefix.service.freshFor: must be a time" },
        { "freshFor = \"2h\"", "freshFor = \"700s\"", "x.toml:11:1: prefix.service.freshFor: must be at least mintEvery + 128 s = 768 s" },
        { "staleFor = \"1d\"", "staleFor = \"1h\"", "x.toml:12:1: prefix.service.staleFor: must not be less than freshFor" },
        { "mintEvery = 640", "mintEvery = 448", "x.toml:13:1: prefix.service.mintEvery: must be a multiple of 64 seconds that divides a day" },
        { "master = \"master\"", "", "x.toml:20:1: keeper.master: is missing" },
        { "flows = 4096", "flows = 1", "x.toml:26:1: edge.flows: must be a whole number" },
        { "flowFile = \"flows\"", "flowFile = true", "x.toml:27:1: edge.flowFile: must be a text" },
        { "rebuildFor = \"5m\"", "rebuildFor = \"2d\"", "x.toml:28:1: edge.rebuildFor: must be a time from 0s to 24h" },
        { "metrics = \"127.0.0.1:9125\"", "metrics = 9125", "x.toml:25:1: edge.metrics: must be a text" },
        { "interface = \"eth1\"", "", "x.toml:30:1: edge.uplink.interface: is missing" },
        { "interface = \"eth1\"", "interface = \"eth2\"", "x.toml:35:1: edge.inside: is the same interface as uplink" },
        { "gateway = \"fe80::1\"", "gateway = \"192.0.2.1\"", "x.toml:32:1: edge.uplink.gateway: must be an IPv6 address" },
        { "whenDown = \"pass\"", "whenDown = \"maybe\"", "x.toml:33:1: edge.uplink.whenDown: must be one of \"drop\", \"pass\"" },
        { "mode = \"observe\"", "mode = true", "x.toml:39:1: policy.mode: must be one of" },
        { "listen = [\"192.0.2.1\", \"[2001:db8::1]:5353\"]", "listen = [\"nowhere\"]", "x.toml:43:1: dns.listen: 'nowhere' is no address" },
        { "listen = [\"192.0.2.1\", \"[2001:db8::1]:5353\"]", "listen = [\"192.0.2\"]", "x.toml:43:1: dns.listen: '192.0.2' is no address" },
        { "listen = [\"192.0.2.1\", \"[2001:db8::1]:5353\"]", "listen = [\"2001:db8:25::53\"]", "x.toml:43:1: dns.listen: [2001:db8:25::53]:53 lies inside a protected prefix" },
        { "backend = \"[fd00:25::22]:22\"", "backend = \"[fe80::1]:22\"", "x.toml:18:1: prefix.service.backend: fe80::1 is no address that the engine can send to" },
        { "backend = \"[fd00:25::22]:22\"", "backend = \"[::]:22\"", "x.toml:18:1: prefix.service.backend: :: is no address that the engine can send to" },
        { "listen = [\"192.0.2.1\", \"[2001:db8::1]:5353\"]", "listen = []", "x.toml:43:1: dns.listen: must name at least one" },
        { "file = \"/etc/zone\"", "file = \"\"", "x.toml:48:1: dns.zone.file: must be a text" },
        { "ports = [22]", "ports = [22]\nknocking = 1", "x.toml:18:1: prefix.service.knocking: must be true or false" },
        { "ports = [22]", "ports = [22]\nknocking = true\nexpired = \"reset\"", "x.toml:19:1: prefix.service.expired: must be \"drop\", or left out, for a knocking service" },
        { "ports = [22]", "ports = [22]\nexpired = \"tarpit\"", "x.toml:18:1: prefix.service.expired: must be one of \"reset\", \"unreachable\", \"drop\"" },
        { "prefix = \"2001:db8:25::/48\"", "prefix = \"2001:db8:25::/48\"\nonLink = \"yes\"", "x.toml:5:1: prefix.onLink: must be true or false" },
        { "flows = 4096", "flows = 4096\nping = true", "x.toml:27:1: edge.ping: must be one of \"answer\", \"drop\"" },
        { "interface = \"eth2\"", "interface = \"eth2\"\nvlan = [4095]", "x.toml:37:1: edge.inside.vlan: must hold whole numbers from 1 to 4094" },
        { "interface = \"eth2\"", "interface = \"eth2\"\nvlan = [1, 2, 3]", "x.toml:37:1: edge.inside.vlan: must hold two numbers at most" },
        { "interface = \"eth2\"", "interface = \"eth2\"\nvlan = 5", "x.toml:37:1: edge.inside.vlan: must hold at least one number" },
        { "interface = \"eth2\"", "interface = \"eth2\"\naddress = \"fe80::1\"", "x.toml:37:1: edge.inside.address: fe80::1 is no address that others could know this host by" },
        { "interface = \"eth2\"", "interface = \"eth2\"\naddress = \"2001:db8:25::1\"", "x.toml:37:1: edge.inside.address: 2001:db8:25::1 lies inside a protected prefix" },
        { "[keeper]", "[keeper", "x.toml:20:" },
        { "[keeper]", "[edge]", "x.toml:" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_told_with_line_column_key_and_what_would_be_right(string line, string replacement, string expected)
    {
        Assert.Contains(line, Whole, StringComparison.Ordinal);
        var index = Whole.IndexOf(line, StringComparison.Ordinal);
        var text = Whole[..index] + replacement + Whole[(index + line.Length)..];
        var error = Assert.Throws<SettingsException>(() => SettingsFile.Parse("x.toml", text)).Errors[0];
        Assert.StartsWith(expected, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void All_mistakes_are_told_at_once_in_the_order_of_their_lines()
    {
        var errors = Assert.Throws<SettingsException>(() => SettingsFile.Parse("x.toml", Whole.Replace("flows = 4096", "flows = 0\nflow = 1", StringComparison.Ordinal)
            .Replace("id = 1", "id = -1", StringComparison.Ordinal))).Errors;
        Assert.Equal([7, 26, 27], errors.Select(error => error.Line));
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        Assert.StartsWith("/nonexistent/x.toml: ", Assert.Throws<SettingsException>(() => SettingsFile.Load("/nonexistent/x.toml")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_of_any_kind_is_a_configuration_or_an_error_in_words() =>
        Gen.Select(Gen.Int[0, Whole.Length], Gen.Int[0, 30], Gen.String[0, 10]).Sample((at, length, inserted) =>
        {
            var end = Math.Min(at + length, Whole.Length);
            try
            {
                SettingsFile.Parse("x.toml", Whole[..at] + inserted + Whole[end..]);
            }
            catch (SettingsException e)
            {
                Assert.NotEmpty(e.Errors);
            }
        }, iter: 20_000);

    [Fact]
    public void Bytes_of_any_kind_are_an_error_in_words() => Gen.Byte.Array[0, 100].Sample(bytes =>
        Assert.Throws<SettingsException>(() => SettingsFile.Parse("x.toml", Encoding.UTF8.GetString(bytes))), iter: 10_000);
}
