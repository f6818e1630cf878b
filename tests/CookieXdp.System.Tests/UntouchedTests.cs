using System.Net;
using System.Net.Sockets;
using CookieXdp.Lab;

namespace CookieXdp.SystemTests;

/// <summary>Everything that is not the prefix's goes its way as if the engine were not there.</summary>
[Collection(nameof(StageFixture))]
public sealed class UntouchedTests(StageFixture fixture)
{
    [Theory]
    [InlineData(25)] // its own outgoing mail
    [InlineData(443)]
    public async Task The_backends_own_outgoing_connections_keep_its_real_address(int port)
    {
        var engine = await QuietFramesAsync();
        using var listener = StageFixture.Listen(fixture.Topology.Internet, port);
        using var outgoing = await fixture.Topology.Mail.ConnectAsync(new IPEndPoint(Topology.InternetAddress, port));
        using var incoming = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Topology.BackendAddress, ((IPEndPoint)incoming.RemoteEndPoint!).Address);
        var sent = new byte[200_000];
        Random.Shared.NextBytes(sent);
        var sending = outgoing.SendAsync(sent);
        Assert.Equal(sent, await ReceiveAsync(incoming, sent.Length));
        await sending;
        Assert.Equal(engine, await FramesAsync());
    }

    [Fact]
    public async Task Connections_to_other_ports_of_the_backend_and_to_the_edge_itself_are_the_kernels()
    {
        var engine = await QuietFramesAsync();
        using var ssh = StageFixture.Listen(fixture.Topology.Mail, 22);
        using var edge = StageFixture.Listen(fixture.Topology.Edge, 22);
        Assert.Equal(ConnectOutcome.Established, await fixture.Topology.Internet.TryConnectAsync(new IPEndPoint(Topology.BackendAddress, 22)));
        Assert.Equal(ConnectOutcome.Established, await fixture.Topology.Internet.TryConnectAsync(new IPEndPoint(Topology.EdgeAddress, 22)));
        Assert.Equal(ConnectOutcome.Established, await fixture.Topology.Mail.TryConnectAsync(new IPEndPoint(Topology.EdgeInsideAddress, 22)));
        Assert.Equal(engine, await FramesAsync());
    }

    [Fact]
    public async Task Pings_UDP_and_IPv4_are_the_kernels()
    {
        var engine = await QuietFramesAsync();
        await fixture.Topology.Internet.RunAsync("ping", "-c", "3", "-i", "0.2", "-W", "2", Topology.EdgeAddress.ToString());
        await fixture.Topology.Internet.RunAsync("ping", "-c", "3", "-i", "0.2", "-W", "2", Topology.BackendAddress.ToString());
        await fixture.Topology.Internet.RunAsync("ping", "-c", "3", "-i", "0.2", "-W", "2", Topology.EdgeAddress4.ToString());
        using var server = fixture.Topology.Mail.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.IPv6Any, 25));
        using var client = fixture.Topology.Internet.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        await client.SendToAsync(new byte[] { 1, 2, 3 }, new IPEndPoint(Topology.BackendAddress, 25));
        var received = await server.ReceiveFromAsync(new byte[100], new IPEndPoint(IPAddress.IPv6Any, 0)).WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(3, received.ReceivedBytes);
        Assert.Equal(engine, await FramesAsync());
    }

    [Fact]
    public async Task What_a_client_sends_to_the_backends_real_SMTP_port_gets_no_answer()
    {
        // Backends serve the engine alone: an answer from that port without a flow must not leave under the real address.
        var before = (await fixture.Edge.EngineMetricsAsync()).Sum(MetricNames.DroppedFrames, (MetricNames.Reason, "noFlow"));
        Assert.Equal(ConnectOutcome.NoAnswer, await fixture.Topology.Internet.TryConnectAsync(new IPEndPoint(Topology.BackendAddress, 25), timeout: TimeSpan.FromSeconds(2)));
        Assert.True((await fixture.Edge.EngineMetricsAsync()).Sum(MetricNames.DroppedFrames, (MetricNames.Reason, "noFlow")) > before);
    }

    [Fact]
    public async Task What_is_sent_to_the_prefix_and_is_no_TCP_ends_at_the_XDP_program_and_is_counted()
    {
        var before = (await fixture.Edge.EngineMetricsAsync()).Sum(MetricNames.XdpFrames, ("interface", "uplink"), (MetricNames.Reason, "notForEngine"));
        using var client = fixture.Topology.Internet.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        for (var i = 0; i < 10; i++)
            await client.SendToAsync(new byte[100], new IPEndPoint(await fixture.MintAsync(), 25));
        Assert.Equal(before + 10, (await fixture.Edge.EngineMetricsAsync()).Sum(MetricNames.XdpFrames, ("interface", "uplink"), (MetricNames.Reason, "notForEngine")));
    }

    /// <summary>
    /// Frames that the engine took from the uplink or sent anywhere. What it took from the inside and dropped is left out: a backend
    /// goes on answering the SYNs of other tests for a while.
    /// </summary>
    private async Task<double> FramesAsync()
    {
        var metrics = await fixture.Edge.EngineMetricsAsync();
        return metrics.Sum(MetricNames.Frames, ("direction", "transmitted")) + metrics.Sum(MetricNames.Frames, ("interface", "uplink"), ("direction", "received"));
    }

    /// <summary>The same once what other tests have begun has ended.</summary>
    private async Task<double> QuietFramesAsync()
    {
        double before = -1, now = -2;
        await StageFixture.UntilAsync(async () =>
        {
            (before, now) = (now, await FramesAsync());
            await Task.Delay(300);
            return before == now;
        }, "no frame for 300 ms");
        return now;
    }

    private static async Task<byte[]> ReceiveAsync(Socket socket, int count)
    {
        var buffer = new byte[count];
        for (var received = 0; received < count;)
        {
            var more = await socket.ReceiveAsync(buffer.AsMemory(received)).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
            Assert.NotEqual(0, more);
            received += more;
        }
        return buffer;
    }
}
