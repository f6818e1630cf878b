using System.Net;
using System.Net.Sockets;
using CookieXdp.Dns.Serving;
using CookieXdp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace CookieXdp.Dns.Tests;

/// <summary>/metrics.</summary>
public sealed class MetricsTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task What_happened_is_counted(string address)
    {
        await using var server = TestServer.Start(TestZones.Usual, address: IPAddress.Parse(address));
        await server.AskAsync(new Query("a.mx.example.com", "AAAA"));
        await server.AskAsync(new Query("a.mx.example.com", "A"));
        await server.AskAsync(new Query("no.mx.example.com", "52"));
        await server.AskAsync(new Query("example.com", "999"));
        using var client = await server.ConnectAsync();
        await client.SendAsync(TestConnection.Frame(new Query("knock.mx.example.com", "AAAA").ToBytes()));
        await client.ReceiveAsync();

        using var http = new HttpClient();
        var uri = new Uri($"http://{server.Server.MetricsEndPoint}/metrics");
        for (var scrape = 0; scrape < 2; scrape++)
        {
            var lines = (await http.GetStringAsync(uri, TestContext.Current.CancellationToken)).Split('\n');
            Assert.Contains("cookiexdp_dns_queries_total{transport=\"udp\",type=\"AAAA\",rcode=\"NOERROR\"} 1", lines);
            Assert.Contains("cookiexdp_dns_queries_total{transport=\"udp\",type=\"A\",rcode=\"NOERROR\"} 1", lines);
            Assert.Contains("cookiexdp_dns_queries_total{transport=\"udp\",type=\"TLSA\",rcode=\"NXDOMAIN\"} 1", lines);
            Assert.Contains("cookiexdp_dns_queries_total{transport=\"udp\",type=\"other\",rcode=\"REFUSED\"} 1", lines);
            Assert.Contains("cookiexdp_dns_queries_total{transport=\"tcp\",type=\"AAAA\",rcode=\"NOERROR\"} 1", lines);
            Assert.Contains("cookiexdp_dns_minted_total{service=\"smtp\"} 1", lines);
            Assert.Contains("cookiexdp_dns_minted_total{service=\"ssh\"} 1", lines);
            Assert.Contains("cookiexdp_dns_dropped_total{transport=\"udp\",reason=\"response\"} 0", lines);
            Assert.Contains("cookiexdp_dns_tcp_connections 1", lines);
            Assert.Contains("cookiexdp_dns_zone_serial{zone=\"mx.example.com.\"} 2024", lines);
            // Nothing of the library's own.
            Assert.All(lines.Where(line => line.Length > 0 && line[0] != '#'), line => Assert.StartsWith("cookiexdp_", line, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Only_metrics_are_served()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{server.Server.MetricsEndPoint}/") };
        Assert.Equal(HttpStatusCode.NotFound, (await http.GetAsync(new Uri("other", UriKind.Relative), TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await http.PostAsync(new Uri("metrics", UriKind.Relative), null, TestContext.Current.CancellationToken)).StatusCode);
        using var garbage = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await garbage.ConnectAsync(server.Server.MetricsEndPoint!, TestContext.Current.CancellationToken);
        await garbage.SendAsync(new byte[9000], TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("metrics?x=1", UriKind.Relative), TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task A_port_in_use_is_named()
    {
        await using var first = TestServer.Start(TestZones.Usual);
        var metrics = new DnsSettings([new IPEndPoint(IPAddress.Loopback, TestPorts.Free())], first.Server.MetricsEndPoint, [new("mx.example.com", first.ZonePath)]);
        var error = Assert.Throws<ListenException>(() => DnsServer.Start(TestZones.Settings, metrics, TimeProvider.System, TcpTimeouts.Default, NullLogger.Instance));
        Assert.StartsWith($"cannot listen at {first.Server.MetricsEndPoint} (metrics): Address already in use", error.Message, StringComparison.Ordinal);
        var dns = new DnsSettings([first.Server.EndPoints[0]], null, [new("mx.example.com", first.ZonePath)]);
        error = Assert.Throws<ListenException>(() => DnsServer.Start(TestZones.Settings, dns, TimeProvider.System, TcpTimeouts.Default, NullLogger.Instance));
        Assert.StartsWith($"cannot listen at {first.Server.EndPoints[0]} (udp): Address already in use", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_type_has_the_slot_of_its_name()
    {
        for (var slot = 0; slot < Answers.QueryCounters.Types.Count; slot++)
            Assert.Equal(slot, Answers.QueryCounters.TypeSlot(Answers.QueryCounters.Types[slot].Type));
        Assert.Equal(Answers.QueryCounters.Types.Count, Answers.QueryCounters.TypeSlot(9999));
    }
}
