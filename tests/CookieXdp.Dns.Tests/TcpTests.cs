using System.Net;
using CookieXdp.Dns.Serving;

namespace CookieXdp.Dns.Tests;

/// <summary>The TCP listener: framing, pipelining, limits, and clients that behave badly.</summary>
public sealed class TcpTests
{
    private static readonly TcpTimeouts _short = new(TimeSpan.FromMilliseconds(700), TimeSpan.FromMilliseconds(700));

    [Fact]
    public async Task Queries_sent_together_are_all_answered_in_order()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        using var client = await server.ConnectAsync();
        await client.SendAsync([.. Enumerable.Range(0, 500).SelectMany(id => TestConnection.Frame(new Query("mx.example.com", "MX") { Id = (ushort)id }.ToBytes()))]);
        for (var id = 0; id < 500; id++)
        {
            var reply = await client.ReceiveAsync();
            Assert.Equal(((ushort)id, 2), (reply.Id, reply.Answers.Count));
        }
    }

    [Fact]
    public async Task A_query_in_pieces_is_put_together()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        using var client = await server.ConnectAsync();
        foreach (var value in TestConnection.Frame(new Query("static.mx.example.com", "A").ToBytes()))
        {
            await client.SendAsync([value]);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
        Assert.Equal("192.0.2.80", (await client.ReceiveAsync()).Address.ToString());
    }

    [Fact]
    public async Task An_answer_too_large_for_udp_comes_whole()
    {
        await using var server = TestServer.Start(TestZones.Head + string.Concat(Enumerable.Range(0, 200).Select(i => $"big TXT \"{new string('x', 200)}{i}\"\n")));
        Assert.True((await server.AskAsync(new Query("big.mx.example.com", "TXT") { UdpSize = 4096 })).IsTruncated);
        using var client = await server.ConnectAsync();
        await client.SendAsync(TestConnection.Frame(new Query("big.mx.example.com", "TXT").ToBytes()));
        var reply = await client.ReceiveAsync();
        Assert.Equal((200, false), (reply.Answers.Count, reply.IsTruncated));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0 })] // an empty message
    [InlineData(new byte[] { 0, 5, 1, 2, 3, 4, 5 })] // shorter than a header
    [InlineData(new byte[] { 0xFF, 0xFF, 1, 2 })] // longer than any query
    [InlineData(new byte[] { 0, 12, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0 })] // a response
    public async Task Who_sends_what_is_no_query_is_closed_after_the_answers_owed(byte[] garbage)
    {
        await using var server = TestServer.Start(TestZones.Usual);
        using var client = await server.ConnectAsync();
        await client.SendAsync([.. TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes()), .. garbage]);
        Assert.Equal(2, (await client.ReceiveAsync()).Answers.Count);
        Assert.Equal(0, await client.WaitForCloseAsync());
        Assert.Equal("NOERROR", (await server.AskAsync(new Query("mx.example.com", "MX"))).Code);
    }

    [Fact]
    public async Task What_is_wrong_but_answerable_keeps_the_connection()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        using var client = await server.ConnectAsync();
        await client.SendAsync(TestConnection.Frame(new byte[12]));
        Assert.Equal("FORMERR", (await client.ReceiveAsync()).Code);
        await client.SendAsync(TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes()));
        Assert.Equal("NOERROR", (await client.ReceiveAsync()).Code);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(200)]
    public async Task Who_is_idle_or_trickles_bytes_is_closed(int trickleEvery)
    {
        await using var server = TestServer.Start(TestZones.Usual, _short);
        using var client = await server.ConnectAsync();
        var begin = TimeProvider.System.GetTimestamp();
        var closed = client.WaitForCloseAsync();
        var query = TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes());
        for (var i = 0; trickleEvery > 0 && i < query.Length && !closed.IsCompleted; i++)
        {
            try
            {
                await client.SendAsync([query[i]]);
            }
            catch (IOException)
            {
                break;
            }
            await Task.Delay(trickleEvery, TestContext.Current.CancellationToken);
        }
        Assert.Equal(0, await closed);
        Assert.InRange(TimeProvider.System.GetElapsedTime(begin), TimeSpan.FromSeconds(0.5), TimeSpan.FromSeconds(5));
        await Eventually(() => server.Server.Limits.Count == 0);
    }

    [Fact]
    public async Task Who_asks_now_and_then_stays_connected()
    {
        await using var server = TestServer.Start(TestZones.Usual, new TcpTimeouts(TimeSpan.FromSeconds(2), TimeSpan.FromMilliseconds(200)));
        using var client = await server.ConnectAsync();
        for (var i = 0; i < 6; i++)
        {
            await client.SendAsync(TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes()));
            Assert.Equal("NOERROR", (await client.ReceiveAsync()).Code);
            await Task.Delay(400, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task Who_asks_and_never_reads_is_closed_and_disturbs_nobody()
    {
        await using var server = TestServer.Start(TestZones.Head + $"big TXT \"{new string('x', 20_000)}\"\n", _short);
        using var greedy = await server.ConnectAsync(receiveBuffer: 4096);
        var query = TestConnection.Frame(new Query("big.mx.example.com", "TXT").ToBytes());
        var asking = Task.Run(async () =>
        {
            try
            {
                for (var i = 0; i < 20_000; i++)
                    await greedy.SendAsync(query);
            }
            catch (IOException)
            {
                // Closed by the server, as it should be.
            }
        }, TestContext.Current.CancellationToken);
        for (var i = 0; i < 10; i++)
        {
            using var other = await server.ConnectAsync();
            await other.SendAsync(query);
            Assert.Single((await other.ReceiveAsync()).Answers);
            Assert.True((await server.AskAsync(new Query("big.mx.example.com", "TXT"))).IsTruncated);
        }
        await asking.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await Eventually(() => server.Server.Limits.Count == 0);
    }

    [Fact]
    public async Task One_client_has_so_many_connections_and_others_have_theirs()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        var clients = new List<TestConnection>();
        try
        {
            for (var i = 0; i < DnsServer.MaxConnectionsPerClient; i++)
                clients.Add(await server.ConnectAsync());
            await Eventually(() => server.Server.Limits.Count == DnsServer.MaxConnectionsPerClient);
            using var tooMuch = await server.ConnectAsync();
            Assert.Equal(0, await tooMuch.WaitForCloseAsync());
            Assert.Equal((1L, 0L), (server.Server.TcpCounters.RefusedClient, server.Server.TcpCounters.RefusedTotal));

            using var other = await server.ConnectAsync(IPAddress.Parse("127.0.0.2"));
            await other.SendAsync(TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes()));
            Assert.Equal("NOERROR", (await other.ReceiveAsync()).Code);
            await clients[0].SendAsync(TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes()));
            Assert.Equal("NOERROR", (await clients[0].ReceiveAsync()).Code);
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
        }
        await Eventually(() => server.Server.Limits.Count == 0);
        using var again = await server.ConnectAsync();
        await again.SendAsync(TestConnection.Frame(new Query("mx.example.com", "MX").ToBytes()));
        Assert.Equal("NOERROR", (await again.ReceiveAsync()).Code);
    }

    [Fact]
    public void Limits_count_ipv6_by_64_and_stop_at_the_total()
    {
        var limits = new ConnectionLimits(total: 3, perClient: 2);
        Assert.True(limits.TryEnter(ClientKey.Of(IPAddress.Parse("2001:db8::1")), out _));
        Assert.True(limits.TryEnter(ClientKey.Of(IPAddress.Parse("2001:db8::2")), out _));
        Assert.False(limits.TryEnter(ClientKey.Of(IPAddress.Parse("2001:db8::3")), out var isClientsOwn));
        Assert.True(isClientsOwn);
        Assert.True(limits.TryEnter(ClientKey.Of(IPAddress.Parse("2001:db8:0:1::1")), out _));
        Assert.False(limits.TryEnter(ClientKey.Of(IPAddress.Parse("192.0.2.1")), out isClientsOwn));
        Assert.False(isClientsOwn);
        limits.Leave(ClientKey.Of(IPAddress.Parse("2001:db8::9")));
        Assert.True(limits.TryEnter(ClientKey.Of(IPAddress.Parse("192.0.2.1")), out _));
        Assert.Equal(3, limits.Count);
    }

    [Fact]
    public async Task Many_clients_at_once_all_get_their_own_answers()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        await Task.WhenAll(Enumerable.Range(1, 20).Select(async who =>
        {
            for (var round = 0; round < 20; round++)
            {
                using var client = await server.ConnectAsync(IPAddress.Parse($"127.0.1.{who}"));
                await client.SendAsync([.. Enumerable.Range(0, 10).SelectMany(i => TestConnection.Frame(new Query(i % 2 == 0 ? "static.mx.example.com" : "a.mx.example.com", "AAAA") { Id = (ushort)(who * 100 + i) }.ToBytes()))]);
                for (var i = 0; i < 10; i++)
                {
                    var reply = await client.ReceiveAsync();
                    Assert.Equal((who * 100 + i, i % 2 == 0), (reply.Id, reply.Address.Equals(IPAddress.Parse("2001:db8:1::80"))));
                }
            }
        }));
        Assert.Equal(20 * 20 * 5, server.Server.TcpCounters.Queries.Minted(1));
    }

    [Fact]
    public async Task Stopping_does_not_wait_for_connections()
    {
        var server = TestServer.Start(TestZones.Usual);
        using var client = await server.ConnectAsync();
        await Eventually(() => server.Server.Limits.Count == 1);
        var begin = TimeProvider.System.GetTimestamp();
        await server.DisposeAsync();
        Assert.InRange(TimeProvider.System.GetElapsedTime(begin), TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal(0, await client.WaitForCloseAsync());
    }

    internal static async Task Eventually(Func<bool> condition)
    {
        for (var i = 0; i < 500 && !condition(); i++)
            await Task.Delay(20);
        Assert.True(condition());
    }
}
