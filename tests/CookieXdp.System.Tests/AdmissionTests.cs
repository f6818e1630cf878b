using System.Net;
using CookieXdp.Lab;

namespace CookieXdp.SystemTests;

/// <summary>Who gets in and who does not.</summary>
[Collection(nameof(StageFixture))]
public sealed class AdmissionTests(StageFixture fixture)
{
    [Fact]
    public async Task Of_ten_thousand_random_addresses_none_is_passed_and_none_is_answered()
    {
        var before = await fixture.Edge.VerdictsAsync(MetricNames.FalseCookie);
        await using var server = await Capture.StartAsync(fixture.Stage.Folder, fixture.Topology.Mail, Topology.ServerInterface, "scan-server", "ip6");
        using var probe = new SynProbe(fixture.Topology.Internet, Topology.InternetAddress);
        var random = new Random(25);
        var address = IPAddress.Parse("2001:db8:25::").GetAddressBytes();
        // The kernel's queues between the namespaces hold 256 frames and drop the rest where the machine is busy: the scan goes on until
        // ten thousand have reached the engine, each address another.
        double judged = 0;
        while (judged < 10_000 && probe.Sent < 40_000)
        {
            for (var i = 0; i < 100; i++)
            {
                random.NextBytes(address.AsSpan(6));
                probe.Send(new IPAddress(address), 25);
            }
            judged = await fixture.Edge.VerdictsAsync(MetricNames.FalseCookie) - before;
        }
        Assert.InRange(judged, 10_000, probe.Sent);
        Assert.Empty(probe.Answers());
        Assert.Equal(0, await server.CountAsync("tcp.flags.syn == 1 && tcp.flags.ack == 0"));
    }

    [Fact]
    public async Task A_genuine_address_is_answered_and_every_altered_bit_of_it_is_not()
    {
        var minted = await fixture.MintAsync();
        using var probe = new SynProbe(fixture.Topology.Internet, Topology.InternetAddress);
        probe.Send(minted, 25);
        Assert.Equal(SynProbe.AnswerKind.SynAck, Assert.Single(probe.Answers()).Kind);
        for (var bit = 48; bit < 128; bit++)
        {
            var address = minted.GetAddressBytes();
            address[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            probe.Send(new IPAddress(address), 25);
        }
        Assert.Empty(probe.Answers());
    }

    [Fact]
    public async Task A_genuine_address_answers_pings_and_tells_a_traceroute_and_any_other_does_neither()
    {
        var minted = await fixture.MintAsync();
        await fixture.Topology.Internet.RunAsync("ping", "-c", "2", "-i", "0.2", "-W", "2", "-s", "1200", minted.ToString());
        Assert.True((await fixture.Edge.EngineMetricsAsync()).Sum("cookiexdp_replies_total", ("kind", "echoReply")) >= 2);

        using var probe = new SynProbe(fixture.Topology.Internet, Topology.InternetAddress, hopLimit: 1);
        probe.Send(minted, 25);
        Assert.Equal((SynProbe.AnswerKind.IcmpError, Topology.EdgeAddress), Assert.Single(probe.Answers()) is var answer ? (answer.Kind, answer.From) : default);

        var other = minted.GetAddressBytes();
        other[15] ^= 1;
        var before = await fixture.Edge.EngineMetricsAsync();
        Assert.NotEqual(0, (await new Command("ping", "-c", "1", "-W", "1", new IPAddress(other).ToString()) { In = fixture.Topology.Internet }.RunAsync()).ExitCode);
        probe.Send(new IPAddress(other), 25);
        Assert.Empty(probe.Answers());
        Assert.Equal(before.Sum("cookiexdp_replies_total"), (await fixture.Edge.EngineMetricsAsync()).Sum("cookiexdp_replies_total"));
    }

    [Fact]
    public async Task The_wrong_port_an_expired_cookie_and_a_banned_resolver_are_refused_each_under_its_name()
    {
        foreach (var (reason, address, port) in new[]
        {
            (MetricNames.WrongPort, await fixture.MintAsync(), 2525),
            (MetricNames.Expired, await fixture.MintAsync(age: TimeSpan.FromHours(48)), 25),
            (MetricNames.BannedResolver, await fixture.MintAsync(Topology.BannedResolver.ToString()), 25),
        })
        {
            var before = await fixture.Edge.VerdictsAsync(reason);
            using var probe = new SynProbe(fixture.Topology.Internet, Topology.InternetAddress);
            probe.Send(address, port);
            // Who has an address that was good once may try the next host at once; nobody else is told anything.
            if (reason == MetricNames.Expired)
                Assert.Equal((SynProbe.AnswerKind.Reset, address), Assert.Single(probe.Answers()) is var answer ? (answer.Kind, answer.From) : default);
            else
                Assert.Empty(probe.Answers());
            Assert.Equal(before + 1, await fixture.Edge.VerdictsAsync(reason));
        }
    }

    [Fact]
    public async Task Frames_that_nobody_should_send_are_dropped_and_counted_and_mail_goes_on()
    {
        var before = await fixture.Edge.EngineMetricsAsync();
        await using (var raw = new RawFrames(fixture.Topology.Internet, Topology.WireInterface))
            raw.SendGarbage(await fixture.MintAsync(), Topology.BackendAddress, 20_000);
        await using (var raw = new RawFrames(fixture.Topology.Mail, Topology.ServerInterface))
            raw.SendGarbage(Topology.InternetAddress, Topology.BackendAddress, 20_000);
        await fixture.Stage.Sender.SendAsync("aftergarbage");
        await fixture.Stage.Backend.WaitForMailAsync("aftergarbage");
        var after = await fixture.Edge.EngineMetricsAsync();
        Assert.True(fixture.Edge.Engine.IsRunning);
        Assert.True(after.Sum(MetricNames.DroppedFrames) > before.Sum(MetricNames.DroppedFrames) + 1000);
        // Frames in are frames out and counted drops, exactly.
        double received = 0, accounted = 1;
        await StageFixture.UntilAsync(async () =>
        {
            var metrics = await fixture.Edge.EngineMetricsAsync();
            received = metrics.Sum(MetricNames.Frames, ("direction", "received"));
            accounted = metrics.Sum(MetricNames.Frames, ("direction", "transmitted")) + metrics.Sum(MetricNames.DroppedFrames);
            return received == accounted;
        }, $"{received} received = {accounted} transmitted and dropped");
    }
}
