using System.Net;
using System.Net.Sockets;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Serving;
using Microsoft.Extensions.Logging.Abstractions;

namespace CookieXdp.Dns.Tests;

/// <summary>The UDP listener.</summary>
public sealed class UdpTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void Receiving_and_answering_allocates_nothing(string address)
    {
        var loopback = IPAddress.Parse(address);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var responder = new TestResponder(TestZones.Usual, now).Responder;
        using var server = new UdpEndPoint(new IPEndPoint(loopback, 0), responder, new QueryCounters(TestZones.Services.ByIndex.Count, isShared: false), TimeProvider.System, new FaultLog(NullLogger.Instance));
        using var client = new Socket(loopback.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        client.Connect(server.LocalEndPoint);
        byte[][] queries =
        [
            new Query("a.mx.example.com", "AAAA") { UdpSize = 1232 }.ToBytes(),
            new Query("a.MX.example.com", "A").ToBytes(),
            new Query("mx.example.com", "MX").ToBytes(),
            new Query("no.mx.example.com", "MX").ToBytes(),
            new Query("x.child.mx.example.com", "MX").ToBytes(),
            new Query("mx.example.com", "AXFR").ToBytes(),
            [0xFF],
            new byte[60],
        ];
        var buffer = new byte[2048];
        var sent = 0;
        long allocated = 0;
        for (var round = 0; round < 300; round++)
        {
            foreach (var query in queries)
            {
                client.Send(query);
                var before = GC.GetAllocatedBytesForCurrentThread();
                server.AnswerOne();
                var after = GC.GetAllocatedBytesForCurrentThread();
                // The first rounds run before the code has settled.
                allocated += round < 100 ? 0 : after - before;
                if (query.Length >= 12)
                {
                    Assert.True(client.Receive(buffer) >= 12);
                    sent++;
                }
            }
        }
        Assert.Equal(0, allocated);
        Assert.Equal(300 * 7, sent);
        Assert.Equal(300, server.Counters.Minted(1));
    }

    [Fact]
    public async Task Garbage_of_every_size_leaves_the_server_answering()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        client.Connect(server.Server.EndPoints[0]);
        var random = new Random(1);
        for (var length = 0; length < 60_000; length = length * 3 / 2 + 1)
        {
            var garbage = new byte[length];
            random.NextBytes(garbage);
            client.Send(garbage);
        }
        Assert.Equal("NOERROR", (await server.AskAsync(new Query("mx.example.com", "MX"))).Code);
        Assert.Equal(0, Assert.Single(server.Server.UdpCounters).Drops(DropReason.Fault));
    }

    [Fact]
    public async Task A_mistake_in_answering_one_query_is_counted_and_the_next_is_answered()
    {
        using var server = new UdpEndPoint(new IPEndPoint(IPAddress.Loopback, 0), new TestResponder().Responder, new QueryCounters(TestZones.Services.ByIndex.Count, isShared: false), new BrokenClock(failures: 3), new FaultLog(NullLogger.Instance));
        server.Start();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        client.Connect(server.LocalEndPoint);
        for (var i = 0; i < 4; i++)
            client.Send(new Query("mx.example.com", "MX") { Id = (ushort)i }.ToBytes());
        var buffer = new byte[1232];
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        Assert.Equal(3, Reply.Read(buffer.AsSpan(0, await client.ReceiveAsync(buffer, deadline.Token))).Id);
        Assert.Equal(3, server.Counters.Drops(DropReason.Fault));
    }

    [Fact]
    public async Task A_listener_at_every_ipv6_address_leaves_the_same_port_of_ipv4_free()
    {
        var faults = new FaultLog(NullLogger.Instance);
        var counters = new QueryCounters(TestZones.Services.ByIndex.Count, isShared: true);
        using var udp = new UdpEndPoint(new IPEndPoint(IPAddress.IPv6Any, TestPorts.Free()), new TestResponder().Responder, counters, TimeProvider.System, faults);
        await using var tcp = new TcpEndPoint(udp.LocalEndPoint, new TestResponder().Responder, new ConnectionLimits(1, 1), new TcpCounters(counters), TimeProvider.System, TcpTimeouts.Default, faults, NullLogger.Instance);
        using var otherUdp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        otherUdp.Bind(new IPEndPoint(IPAddress.Any, udp.LocalEndPoint.Port));
        using var otherTcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        otherTcp.Bind(new IPEndPoint(IPAddress.Any, udp.LocalEndPoint.Port));
        otherTcp.Listen();
    }

    [Fact]
    public async Task Stopping_frees_the_port_at_once()
    {
        var server = TestServer.Start(TestZones.Usual);
        var endPoint = server.Server.EndPoints[0];
        await server.AskAsync(new Query("mx.example.com", "MX"));
        var begin = TimeProvider.System.GetTimestamp();
        await server.DisposeAsync();
        Assert.InRange(TimeProvider.System.GetElapsedTime(begin), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        using var other = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        other.Bind(endPoint);
    }

    [Fact]
    public async Task A_reload_is_answered_from_with_the_next_query_and_a_bad_zone_changes_nothing()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        File.WriteAllText(server.ZonePath, TestZones.Usual + "new A 192.0.2.77\n");
        server.Server.Reload();
        Assert.Equal("192.0.2.77", (await server.AskAsync(new Query("new.mx.example.com", "A"))).Address.ToString());
        File.WriteAllText(server.ZonePath, TestZones.Usual + "new A 192.0.2.777\n");
        server.Server.Reload();
        Assert.Equal("192.0.2.77", (await server.AskAsync(new Query("new.mx.example.com", "A"))).Address.ToString());
        File.Delete(server.ZonePath);
        server.Server.Reload();
        Assert.Equal("192.0.2.77", (await server.AskAsync(new Query("new.mx.example.com", "A"))).Address.ToString());
    }

    private sealed class BrokenClock(int failures) : TimeProvider
    {
        private int _failures = failures;

        public override DateTimeOffset GetUtcNow() => _failures-- > 0 ? throw new InvalidOperationException("the clock is broken") : base.GetUtcNow();
    }
}
