using System.Diagnostics;
using System.Net;
using CookieXdp.Lab;

namespace CookieXdp.Story;

/// <summary>The scenes in their order. Each asserts what it tells; the first that is not so ends the play.</summary>
public sealed class Play : IAsyncDisposable
{
    private const int SmtpPort = 25;
    private const int Probes = 400;

    // The expired caller of scene 6 has an address of three hours ago.
    private static readonly EdgeSettings Settings = new() { FreshFor = "1h", StaleFor = "2h" };
    private static readonly TimeSpan LongAgo = TimeSpan.FromHours(3);

    private readonly Narrator _narrator;
    private readonly CancellationToken _cancellation;

    private Play(Narrator narrator, Stage stage, CancellationToken cancellation)
    {
        _narrator = narrator;
        _cancellation = cancellation;
        Stage = stage;
    }

    /// <summary>The machines and programs.</summary>
    public Stage Stage { get; }

    /// <summary>Scene 1: raises the stage.</summary>
    public static async Task<Play> OpenAsync(Narrator narrator, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(narrator);
        narrator.Scene("The stage");
        narrator.Tell("Three machines, network namespaces all of them, and two wires:");
        narrator.Add("internet                        edge                              mail");
        narrator.Add($"{Topology.InternetAddress} ──────── {Topology.EdgeAddress} (uplink)");
        narrator.Add($"                                {Topology.EdgeInsideAddress} (inside) ──────────── {Topology.BackendAddress}");
        narrator.Add($"The prefix {Topology.Prefix} is routed to the edge. Nobody lives in it.");
        var stage = await Stage.RaiseAsync(Settings);
        var play = new Play(narrator, stage, cancellation);
        narrator.Tell($"The edge runs the keeper, cookiexdp-dns (for {Edge.ZoneName}) and the engine on its two interfaces.");
        narrator.Add($"The internet has a mail server (Postfix) and two resolvers (Unbound), {Topology.GoodResolver} and {Topology.BannedResolver};");
        narrator.Add("the mail machine has a Postfix that takes mail for example.com.");
        return play;
    }

    /// <summary>Scenes 2 to 8.</summary>
    /// <exception cref="StoryException">Something was not as told.</exception>
    public async Task PerformAsync()
    {
        var asked = await InTimeAsync(ResolverAsksAsync);
        await InTimeAsync(MailArrivesAsync);

        await using var capture = await Capture.StartAsync(
            Stage.Folder, Stage.Topology.Mail, Topology.ServerInterface, "server", $"ip6 and tcp and dst host {Topology.BackendAddress}");
        await InTimeAsync(ScannerFindsNobodyAsync);
        await InTimeAsync(() => AlteredCookieIsFalseAsync(asked));
        await InTimeAsync(ExpiredCookieIsRefusedAsync);
        await InTimeAsync(BannedResolverIsRefusedAsync);
        var frames = await capture.CountAsync("tcp.flags.syn==1");
        Expect(frames == 0, "no connection attempt reaches the mail server in scenes 4 to 7", $"{frames} SYNs on its wire");
        _narrator.Tell("Of all this, since the mail of scene 3, the mail server's wire has carried nothing: 0 SYNs captured there.");
        await InTimeAsync(CountersTellTheSameAsync);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Stage.DisposeAsync();

    private async Task<IPAddress> ResolverAsksAsync()
    {
        _narrator.Scene("A resolver asks");
        _narrator.Tell($"dig @{Topology.GoodResolver} AAAA {Edge.ZoneName}");
        var address = await Stage.Resolver.AskForAddressAsync();
        _narrator.Tell($"The answer, minted for that resolver alone: {address}");
        await TellCookieAsync(address, Topology.GoodResolver);
        return address;
    }

    private async Task MailArrivesAsync()
    {
        _narrator.Scene("A mail server delivers");
        var before = await Stage.Edge.AcceptsAsync();
        var marker = "story" + Stage.Folder.Id;
        await Stage.Sender.SendAsync(marker);
        _narrator.Tell($"Somebody's Postfix is given a message to you@example.com, marked {marker}. It looks up the MX and its AAAA.");
        var report = await Stage.Sender.WaitForReportAsync(marker);
        Expect(string.Equals(report.Status, "sent", StringComparison.Ordinal), "the message is sent at the first attempt", report.Line);
        Expect(report.Relay is not null, "the mail log names the address used", report.Line);
        _narrator.Tell($"It connected to {report.Relay} and delivered, {report.Delay.TotalSeconds:0.00} s after it had got the message.");
        await TellCookieAsync(report.Relay!, Topology.GoodResolver);
        var accepts = await CounterReachesAsync(Stage.Edge.AcceptsAsync, before + 1, "the engine counts the connection as accepted");
        _narrator.Tell($"The engine has accepted {accepts - before:0} connection (reads {accepts:0}, read {before:0} before).");
        var file = await Stage.Backend.WaitForMailAsync(marker);
        _narrator.Tell("The message, marker and all, lies in the recipient's Maildir:");
        _narrator.Add(file);
    }

    private async Task ScannerFindsNobodyAsync()
    {
        _narrator.Scene("A scanner tries its luck");
        var connections = Stage.Backend.Connections;
        var before = await Stage.Edge.VerdictsAsync(MetricNames.FalseCookie);
        using var probe = new SynProbe(Stage.Topology.Internet, Topology.InternetAddress);
        _narrator.Tell($"{Probes} SYNs to port {SmtpPort} of {Probes} random addresses of {Topology.Prefix}, such as {RandomAddress()}.");
        for (var i = 0; i < Probes; i++)
        {
            probe.Send(RandomAddress(), SmtpPort);

            // A veth's ring has 256 entries, and this is no test of speed.
            if (i % 16 == 15)
                await Task.Delay(2, _cancellation);
        }

        // One in 1.6 million random cookies opens; such a one may even be answered. Two of them would be no chance.
        var answers = probe.Answers();
        var after = await CounterReachesAsync(
            () => Stage.Edge.VerdictsAsync(MetricNames.FalseCookie), before + Probes - 1, $"{Probes} SYNs are counted as {MetricNames.FalseCookie}");
        Expect(answers.Count <= before + Probes - after, "no answer to any of them", Described(answers));
        _narrator.Tell("Not one was answered: no handshake, no reset, no ICMP error.");
        _narrator.Tell($"The engine dropped {after - before:0} as {MetricNames.FalseCookie} (reads {after:0}, read {before:0} before).");
        Expect(Stage.Backend.Connections == connections, "the mail server sees no connection", $"{Stage.Backend.Connections - connections} connections");
        _narrator.Tell("The mail server's log has nothing of it.");
    }

    private async Task AlteredCookieIsFalseAsync(IPAddress genuine)
    {
        _narrator.Scene("One bit is altered");
        var bytes = genuine.GetAddressBytes();
        var bit = Random.Shared.Next(78);
        bytes[15 - bit / 8] ^= (byte)(1 << bit % 8);
        var altered = new IPAddress(bytes);
        _narrator.Tell($"The address of scene 2 with bit {bit} of its cookie flipped: {altered}");
        var before = await Stage.Edge.VerdictsAsync(MetricNames.FalseCookie);
        using var probe = new SynProbe(Stage.Topology.Internet, Topology.InternetAddress);
        probe.Send(altered, SmtpPort);
        var answers = probe.Answers();
        Expect(answers.Count == 0, "no answer to an altered cookie", Described(answers));
        await CounterReachesAsync(() => Stage.Edge.VerdictsAsync(MetricNames.FalseCookie), before + 1, $"the SYN is counted as {MetricNames.FalseCookie}");
        _narrator.Tell($"No answer, and one more {MetricNames.FalseCookie}: any change opens to random bits, which are no cookie.");
    }

    private async Task ExpiredCookieIsRefusedAsync()
    {
        _narrator.Scene("An address from long ago");
        var address = await Stage.Edge.MintAsync(Topology.GoodResolver, DateTimeOffset.UtcNow - LongAgo);
        _narrator.Tell($"Minted {LongAgo.TotalHours:0} hours ago; this service's cookies expire after {Settings.StaleFor}: {address}");
        await TellCookieAsync(address, Topology.GoodResolver, LongAgo);
        await ExpectRefusalAsync(address, MetricNames.Expired, ConnectOutcome.Refused);
    }

    private async Task BannedResolverIsRefusedAsync()
    {
        _narrator.Scene("A caller whose resolver is banned");
        _narrator.Tell($"dig @{Topology.BannedResolver} AAAA {Edge.ZoneName}");
        var address = await Stage.BannedResolver.AskForAddressAsync();
        _narrator.Tell($"It is given an address like anybody: {address}");
        await TellCookieAsync(address, Topology.BannedResolver);
        _narrator.Tell($"{Topology.BannedResolver} is on the list of banned resolvers. Its cookie says so wherever the caller connects from.");
        await ExpectRefusalAsync(address, MetricNames.BannedResolver, ConnectOutcome.NoAnswer);
    }

    private async Task CountersTellTheSameAsync()
    {
        _narrator.Scene("The counters");
        var engine = await Stage.Edge.EngineMetricsAsync();
        var dns = await Stage.Edge.DnsMetricsAsync();
        _narrator.Tell("cookiexdp:");
        TellSamples(engine, MetricNames.Verdicts);
        TellSamples(engine, MetricNames.Frames);
        _narrator.Tell("cookiexdp-dns:");
        TellSamples(dns, MetricNames.Minted);
        TellSamples(dns, MetricNames.Queries);
        Expect(dns.Sum(MetricNames.Minted) >= 2, $"{MetricNames.Minted} counts the answers of two resolvers", $"{dns.Sum(MetricNames.Minted)}");
        Expect(engine.Sum(MetricNames.Frames) > 0, $"{MetricNames.Frames} counts", "0");
    }

    private void TellSamples(Metrics metrics, string name)
    {
        foreach (var sample in metrics.Samples.Where(sample => string.Equals(sample.Name, name, StringComparison.Ordinal) && sample.Value > 0))
            _narrator.Add($"{sample.Value,8:0}  {name}{{{string.Join(',', sample.Labels.Select(label => $"{label.Key}=\"{label.Value}\""))}}}");
    }

    private async Task TellCookieAsync(IPAddress address, IPAddress resolver, TimeSpan age = default)
    {
        var cookie = await Stage.Edge.OpenAsync(address);
        Expect(cookie is not null, $"the cookie of {address} is genuine", "false");
        Expect(string.Equals(cookie!.Resolver, resolver.ToString(), StringComparison.Ordinal), $"the cookie names the resolver {resolver}", cookie.Resolver);
        Expect(cookie.Service == Edge.SmtpService, $"the cookie is for service {Edge.SmtpService}", $"service {cookie.Service}");

        // Minted with the interval's first tick, of 320 s; the ticks themselves are 64 s.
        var seenAge = DateTimeOffset.UtcNow - cookie.MintedAt;
        Expect(
            seenAge >= age - TimeSpan.FromSeconds(64) && seenAge <= age + TimeSpan.FromSeconds(400),
            $"the cookie was minted {age.TotalSeconds:0} to {age.TotalSeconds + 384:0} s ago", $"{seenAge.TotalSeconds:0} s ago");
        _narrator.Tell(
            $"cookiexdp open says: genuine, resolver {cookie.Resolver}, minted {cookie.MintedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, service {cookie.Service}, "
            + (cookie.Verified ? "resolver verified." : "resolver not verified."));
    }

    private async Task ExpectRefusalAsync(IPAddress address, string reason, ConnectOutcome expected)
    {
        var before = await Stage.Edge.VerdictsAsync(reason);
        var watch = Stopwatch.StartNew();

        // Less than the second after which the kernel would send its SYN again, and have it counted again.
        var outcome = await Stage.Topology.Internet.TryConnectAsync(new(address, SmtpPort), timeout: TimeSpan.FromMilliseconds(900));
        Expect(outcome == expected, expected == ConnectOutcome.Refused ? "the connection is refused at once" : "the connection is not answered", $"{outcome} after {watch.ElapsedMilliseconds} ms");
        _narrator.Tell(outcome == ConnectOutcome.Refused
            ? $"Connecting to it: refused after {watch.ElapsedMilliseconds} ms."
            : $"Connecting to it: no answer within {watch.ElapsedMilliseconds} ms.");
        var after = await CounterReachesAsync(() => Stage.Edge.VerdictsAsync(reason), before + 1, $"the attempt is counted as {reason}");
        _narrator.Tell($"Counted as {reason} (reads {after:0}, read {before:0} before).");
    }

    private static async Task<double> CounterReachesAsync(Func<Task<double>> read, double wanted, string expected)
    {
        var watch = Stopwatch.StartNew();
        double seen;
        while ((seen = await read()) < wanted)
        {
            Expect(watch.Elapsed < TimeSpan.FromSeconds(3), $"{expected}: the counter reads {wanted} at least", $"{seen}");
            await Task.Delay(50);
        }

        return seen;
    }

    private static IPAddress RandomAddress()
    {
        var bytes = IPAddress.Parse(Topology.Prefix.Split('/')[0]).GetAddressBytes();
        Random.Shared.NextBytes(bytes.AsSpan(6));
        return new(bytes);
    }

    private static string Described(IReadOnlyList<SynProbe.Answer> answers) =>
        answers.Count == 0 ? "no answer" : $"{answers.Count} answers, the first: {answers[0].Kind} from {answers[0].From}";

    private static void Expect(bool seenToBeSo, string expected, string seen)
    {
        if (!seenToBeSo)
            throw new StoryException(expected, seen);
    }

    // A scene that is interrupted is left as it is: taking the stage down ends whatever it waits for.
    private Task InTimeAsync(Func<Task> scene)
    {
        _cancellation.ThrowIfCancellationRequested();
        return scene().WaitAsync(_cancellation);
    }

    private Task<T> InTimeAsync<T>(Func<Task<T>> scene)
    {
        _cancellation.ThrowIfCancellationRequested();
        return scene().WaitAsync(_cancellation);
    }
}
