using System.Globalization;
using System.Net;
using System.Net.Sockets;
using CookieXdp.Cookies;

namespace CookieXdp.Dns.Tests;

/// <summary>The program itself on loopback, asked by dig and unbound. COOKIEXDP_DNS names another build of it, such as the shipped one.</summary>
public sealed class ProgramTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("cookiexdp-dns").FullName;
    private readonly List<TestProgram> _programs = [];
    private readonly int _port = TestPorts.Free();
    private readonly int _metricsPort = TestPorts.Free();

    public ProgramTests()
    {
        File.WriteAllText(In("mx.example.com.zone"), TestZones.Usual);
        WriteConfiguration();
        PublishKeyring();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var program in Enumerable.Reverse(_programs))
            await program.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Dig_gets_its_answers_by_both_transports()
    {
        await StartServerAsync();
        foreach (var transport in new[] { "+notcp", "+tcp" })
        {
            Assert.Equal("10 a.mx.example.com.\n20 b.mx.example.com.\n", await DigAsync("mx.example.com", "MX", "+short", transport));
            var address = IPAddress.Parse((await DigAsync("a.mx.example.com", "AAAA", "+short", transport)).Trim());
            var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            Assert.True(TestZones.KeysAt(now, TestZones.Prefix).TryOpen(address.GetAddressBytes(), now, out var cookie));
            // 127.0.0.1 is an IPv4 address as any other; the design keeps only IPv6 outside 2000::/3 from being told.
            Assert.Equal(("127.0.0.1", 1, transport == "+tcp"), (cookie.Resolver.ToString(), cookie.Service, cookie.Verified));
            Assert.Contains("status: NXDOMAIN", await DigAsync("no.mx.example.com", "AAAA", transport), StringComparison.Ordinal);
            Assert.Contains("ANSWER: 0, AUTHORITY: 1", await DigAsync("a.mx.example.com", "A", transport), StringComparison.Ordinal);
            Assert.Contains("status: REFUSED", await DigAsync("example.org", "A", transport), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Dig_sees_edns_case_any_and_transfers_as_they_should_be()
    {
        await StartServerAsync();
        Assert.Contains("EDNS: version: 0, flags:; udp: 1232", await DigAsync("mx.example.com", "MX"), StringComparison.Ordinal);
        Assert.DoesNotContain("COOKIE", await DigAsync("mx.example.com", "MX", "+cookie"), StringComparison.Ordinal);
        Assert.DoesNotContain("EDNS", await DigAsync("mx.example.com", "MX", "+noedns"), StringComparison.Ordinal);
        Assert.Contains("status: BADVERS", await DigAsync("mx.example.com", "MX", "+edns=1", "+noednsnegotiation"), StringComparison.Ordinal);
        Assert.Contains("STATIC.mx.EXAMPLE.com.\t300\tIN\tA\t192.0.2.80", await DigAsync("STATIC.mx.EXAMPLE.com", "A"), StringComparison.Ordinal);
        Assert.Contains("ANSWER: 1,", await DigAsync("mx.example.com", "ANY", "+notcp"), StringComparison.Ordinal);
        Assert.Contains("Transfer failed.", await DigAsync("mx.example.com", "AXFR"), StringComparison.Ordinal);
        Assert.Contains("status: REFUSED", await DigAsync("version.bind", "TXT", "CH"), StringComparison.Ordinal);
        Assert.Contains("status: NOTIMP", await DigAsync("mx.example.com", "SOA", "+opcode=NOTIFY", "+noedns"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_resolver_in_front_resolves_and_its_cache_keeps_the_cookie()
    {
        await StartServerAsync();
        var port = await StartUnboundAsync();
        Assert.Equal("10 a.mx.example.com.\n20 b.mx.example.com.\n", Sorted(await DigAtAsync(port, "mx.example.com", "MX", "+short")));
        var first = await DigAtAsync(port, "a.mx.example.com", "AAAA", "+short");
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        Assert.True(TestZones.KeysAt(now, TestZones.Prefix).TryOpen(IPAddress.Parse(first.Trim()).GetAddressBytes(), now, out var cookie));
        Assert.Equal(("127.0.0.1", 1), (cookie.Resolver.ToString(), cookie.Service));
        Assert.Equal(first, await DigAtAsync(port, "A.MX.Example.Com", "AAAA", "+short"));
        var noData = await DigAtAsync(port, "a.mx.example.com", "A");
        Assert.Contains("status: NOERROR", noData, StringComparison.Ordinal);
        Assert.Contains("ANSWER: 0, AUTHORITY: 1", noData, StringComparison.Ordinal);
        Assert.Contains("status: NXDOMAIN", await DigAtAsync(port, "no.mx.example.com", "A"), StringComparison.Ordinal);
        Assert.Contains("status: NOERROR", await DigAtAsync(port, "empty.mx.example.com", "A"), StringComparison.Ordinal);
        Assert.Equal("\"deep\"\n", await DigAtAsync(port, "deep.empty.mx.example.com", "TXT", "+short"));
    }

    [Fact]
    public async Task Without_a_keyring_it_serves_what_it_can_and_mints_once_there_is_one()
    {
        File.Delete(In("keyring"));
        var server = await StartServerAsync();
        Assert.Contains("there is no keyring yet", server.Output, StringComparison.Ordinal);
        Assert.Contains("status: SERVFAIL", await DigAsync("a.mx.example.com", "AAAA"), StringComparison.Ordinal);
        Assert.Equal("192.0.2.80\n", await DigAsync("static.mx.example.com", "A", "+short"));
        PublishKeyring();
        await server.WaitForAsync("keyring is there now");
        Assert.StartsWith("2001:db8:25:", await DigAsync("a.mx.example.com", "AAAA", "+short"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prefix_that_the_keyring_lacks_is_named_and_the_others_are_minted()
    {
        KeyringFile.Publish(In("keyring"), Keyring.Write([TestZones.Master], [TestZones.Prefix], 1, DateTimeOffset.UtcNow.ToUnixTimeSeconds()));
        var server = await StartServerAsync();
        Assert.Contains("the keyring has no keys for 2001:db8:26::/48", server.Output, StringComparison.Ordinal);
        Assert.Contains("status: SERVFAIL", await DigAsync("b.mx.example.com", "AAAA"), StringComparison.Ordinal);
        Assert.StartsWith("2001:db8:25:", await DigAsync("a.mx.example.com", "AAAA", "+short"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_signal_stops_it_cleanly(string signal)
    {
        var server = await StartServerAsync();
        await server.SignalAsync(signal);
        Assert.Equal(0, await server.WaitForExitAsync());
        Assert.Contains("stopped", server.Output, StringComparison.Ordinal);
        Assert.Empty(server.StandardOutput);
    }

    [Fact]
    public async Task Sighup_reads_the_zones_again_and_a_bad_one_keeps_the_old()
    {
        var server = await StartServerAsync();
        File.AppendAllText(In("mx.example.com.zone"), "new A 192.0.2.77\n");
        await server.SignalAsync("HUP");
        await server.WaitForAsync("loaded again");
        Assert.Equal("192.0.2.77\n", await DigAsync("new.mx.example.com", "A", "+short"));
        File.AppendAllText(In("mx.example.com.zone"), "new A nonsense\n");
        await server.SignalAsync("HUP");
        await server.WaitForAsync("the zones stay as they were");
        Assert.Contains("'nonsense' is no IPv4 address", server.Output, StringComparison.Ordinal);
        Assert.Equal("192.0.2.77\n", await DigAsync("new.mx.example.com", "A", "+short"));
    }

    [Fact]
    public async Task Metrics_are_served_where_the_configuration_says()
    {
        await StartServerAsync();
        await DigAsync("a.mx.example.com", "AAAA");
        using var http = new HttpClient();
        var text = await http.GetStringAsync(new Uri($"http://127.0.0.1:{_metricsPort}/metrics"), TestContext.Current.CancellationToken);
        Assert.Contains("cookiexdp_dns_minted_total{service=\"smtp\"} 1", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_cannot_be_bound_is_named_with_the_reason()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, _port));
        var server = Start("run", "--config", In("c.toml"));
        Assert.Equal(1, await server.WaitForExitAsync());
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"cannot listen at 127.0.0.1:{_port} (udp): Address already in use"), server.Output, StringComparison.Ordinal);
        WriteConfiguration("192.0.2.1");
        var other = Start("run", "--config", In("c.toml"));
        Assert.Equal(1, await other.WaitForExitAsync());
        Assert.Contains("no interface has this address", other.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_says_ok_or_every_mistake()
    {
        var check = Start("check", "--config", In("c.toml"));
        Assert.Equal(0, await check.WaitForExitAsync());
        Assert.Equal("ok: zone mx.example.com. serial 2024, 17 records, 3 templates\n", check.StandardOutput);

        File.AppendAllText(In("mx.example.com.zone"), "x CNAME y\nx AAAA 2001:db8:25::9\n");
        check = Start("check", "--config", In("c.toml"));
        Assert.Equal(1, await check.WaitForExitAsync());
        Assert.Empty(check.StandardOutput);
        Assert.Equal(2, check.Output.TrimEnd().Split('\n').Length);
        Assert.Contains("mx.example.com.zone:19:3: CNAME is not supported", check.Output, StringComparison.Ordinal);
        var run = Start("run", "--config", In("c.toml"));
        Assert.Equal(1, await run.WaitForExitAsync());
        Assert.Equal(check.Output, run.Output);

        File.WriteAllText(In("c.toml"), "[dns]\nlisten = 7\nnonsense = 1\n");
        check = Start("check", "--config", In("c.toml"));
        Assert.Equal(1, await check.WaitForExitAsync());
        Assert.Contains("dns.nonsense: unknown key", check.Output, StringComparison.Ordinal);
        check = Start("check", "--config", In("missing.toml"));
        Assert.Equal(1, await check.WaitForExitAsync());
        Assert.Contains("missing.toml: there is no such configuration file", check.Output, StringComparison.Ordinal);
    }

    private static string Sorted(string lines) => string.Concat(lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal).Select(line => line + "\n"));

    private string In(string name) => Path.Combine(_folder, name);

    private void WriteConfiguration(string address = "127.0.0.1") => File.WriteAllText(In("c.toml"), string.Create(CultureInfo.InvariantCulture, $"""
        {TestZones.Prefixes}
        [dns]
        listen = ["{address}:{_port}"]
        metrics = "127.0.0.1:{_metricsPort}"
        [[dns.zone]]
        name = "mx.example.com"
        file = "mx.example.com.zone"
        """));

    private void PublishKeyring() =>
        KeyringFile.Publish(In("keyring"), Keyring.Write([TestZones.Master], [.. TestZones.Settings.Prefixes.Select(prefix => prefix.Prefix)], 1, DateTimeOffset.UtcNow.ToUnixTimeSeconds()));

    private TestProgram Start(params string[] arguments)
    {
        var program = Environment.GetEnvironmentVariable("COOKIEXDP_DNS") ?? Path.Combine(AppContext.BaseDirectory, "cookiexdp-dns");
        var started = TestProgram.Start(program, "make", arguments);
        _programs.Add(started);
        return started;
    }

    private async Task<TestProgram> StartServerAsync()
    {
        var server = Start("run", "--config", In("c.toml"));
        await server.WaitForAsync("ready");
        return server;
    }

    private async Task<int> StartUnboundAsync()
    {
        var port = TestPorts.Free();
        File.WriteAllText(In("unbound.conf"), string.Create(CultureInfo.InvariantCulture, $"""
            server:
                interface: 127.0.0.1@{port}
                do-daemonize: no
                use-syslog: no
                logfile: ""
                username: ""
                chroot: ""
                directory: "{_folder}"
                pidfile: "{In("unbound.pid")}"
                do-not-query-localhost: no
                access-control: 127.0.0.0/8 allow
                module-config: "iterator"
                use-caps-for-id: yes
                do-ip6: no
                verbosity: 1
            remote-control:
                control-enable: no
            stub-zone:
                name: "mx.example.com"
                stub-addr: 127.0.0.1@{_port}
            """));
        var unbound = TestProgram.Start("unbound", "unbound", "-d", "-c", In("unbound.conf"));
        _programs.Add(unbound);
        await unbound.WaitForAsync("start of service");
        return port;
    }

    private Task<string> DigAsync(params string[] arguments) => DigAtAsync(_port, ["+norecurse", .. arguments]);

    private static async Task<string> DigAtAsync(int port, params string[] arguments)
    {
        await using var dig = TestProgram.Start("dig", "bind9-dnsutils", ["@127.0.0.1", "-p", port.ToString(CultureInfo.InvariantCulture), "+time=5", "+tries=1", .. arguments]);
        await dig.WaitForExitAsync();
        return dig.StandardOutput;
    }
}
