using System.Net;
using System.Net.Sockets;
using System.Text;
using CookieXdp.Lab;

namespace CookieXdp.SystemTests;

/// <summary>Real mail from a real sender to a real server, through a cookie.</summary>
[Collection(nameof(StageFixture))]
public sealed class MailTests(StageFixture fixture)
{
    [Fact]
    public async Task A_message_is_delivered_through_an_address_that_was_minted_for_the_senders_resolver()
    {
        var accepted = await fixture.Edge.AcceptsAsync();
        await fixture.Stage.Sender.SendAsync("single");
        await fixture.Stage.Backend.WaitForMailAsync("single");
        var report = await fixture.Stage.Sender.WaitForReportAsync("single");
        Assert.Equal("sent", report.Status);
        var cookie = await fixture.Edge.OpenAsync(report.Relay!);
        Assert.Equal((Topology.GoodResolver.ToString(), Edge.SmtpService), (cookie!.Resolver, cookie.Service));
        Assert.True(await fixture.Edge.AcceptsAsync() > accepted);
    }

    [Fact]
    public async Task A_message_of_5_MB_arrives_whole()
    {
        const int size = 5 * 1024 * 1024;
        await fixture.Stage.Sender.SendAsync("large", size: size);
        var file = await fixture.Stage.Backend.WaitForMailAsync("large", TimeSpan.FromSeconds(60));
        var lines = await File.ReadAllLinesAsync(file, TestContext.Current.CancellationToken);
        var body = lines.SkipWhile(line => line.Length > 0).Skip(1).ToArray();
        Assert.InRange(body.Sum(line => line.Length + 1), size - 4096, size + 4096);
        Assert.All(body.Skip(2), line => Assert.Equal(body[2], line));
    }

    [Fact]
    public async Task Fifty_SMTP_connections_at_once_each_deliver_their_message()
    {
        var address = await fixture.MintAsync();
        var everybodyIsIn = new TaskCompletionSource();
        var greeted = 0;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async number =>
        {
            using var socket = await fixture.Topology.Internet.ConnectAsync(new IPEndPoint(address, 25), timeout: TimeSpan.FromSeconds(20));
            await using var stream = new NetworkStream(socket);
            using var reader = new StreamReader(stream, Encoding.ASCII);
            await ExpectAsync(reader, "220");
            if (Interlocked.Increment(ref greeted) == 50)
                everybodyIsIn.SetResult();
            await everybodyIsIn.Task.WaitAsync(TimeSpan.FromSeconds(60));
            foreach (var (command, code) in new[]
            {
                ("EHLO client.example.org", "250"), ("MAIL FROM:<somebody@example.org>", "250"), ("RCPT TO:<you@example.com>", "250"), ("DATA", "354"),
                ($"{MailBackend.MarkerHeader}: crowd{number}\r\n\r\nOne of fifty.\r\n.", "250"), ("QUIT", "221"),
            })
            {
                await stream.WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"));
                await ExpectAsync(reader, code);
            }
        }));
        for (var number = 0; number < 50; number++)
            await fixture.Stage.Backend.WaitForMailAsync($"crowd{number}");
    }

    [Fact]
    public async Task Every_packets_checksum_is_right_on_both_sides()
    {
        await using var wire = await Capture.StartAsync(fixture.Stage.Folder, fixture.Topology.Internet, Topology.WireInterface, "checksums-wire", "tcp");
        await using var server = await Capture.StartAsync(fixture.Stage.Folder, fixture.Topology.Mail, Topology.ServerInterface, "checksums-server", "tcp");
        await fixture.Stage.Sender.SendAsync("checksums", size: 500_000);
        await fixture.Stage.Backend.WaitForMailAsync("checksums");
        await fixture.Stage.Sender.WaitForReportAsync("checksums");
        foreach (var capture in new[] { wire, server })
        {
            // tshark judges each: 1 is good, 0 is bad, 2 is not looked at.
            var verdicts = await capture.ReadAsync("tcp", "tcp.checksum.status");
            Assert.InRange(verdicts.Count, 100, 100_000);
            Assert.All(verdicts, verdict => Assert.Equal("1", verdict));
        }
        // and what passed was rewritten: the server never sees the prefix, the wire never sees the server
        Assert.Equal(0, await server.CountAsync($"ipv6.addr == {Topology.Prefix}"));
        Assert.Equal(0, await wire.CountAsync($"ipv6.addr == {Topology.BackendAddress}"));
    }

    private static async Task ExpectAsync(StreamReader reader, string code)
    {
        // A reply may have several lines; the last has a space behind its code (RFC 5321, section 4.2.1).
        string? line;
        do
        {
            line = await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
            Assert.StartsWith(code, line ?? "(closed)", StringComparison.Ordinal);
        }
        while (line!.Length > 3 && line[3] == '-');
    }
}
