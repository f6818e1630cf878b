using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace CookieXdp.Lab;

/// <summary>Somebody's mail server on the lab's internet: a real Postfix that looks up MX and AAAA and delivers as any would.</summary>
public sealed partial class MailSender : IAsyncDisposable
{
    private readonly Namespace _where;

    private MailSender(Namespace where, PostfixInstance postfix)
    {
        _where = where;
        Postfix = postfix;
    }

    /// <summary>The running Postfix.</summary>
    public PostfixInstance Postfix { get; }

    /// <summary>Starts one.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="topology">Where it shall run.</param>
    /// <param name="resolver">The resolver it asks.</param>
    /// <param name="source">The address it connects from; null: the kernel chooses.</param>
    /// <param name="name">Its name, for folder and log.</param>
    /// <exception cref="LabException">It did not come up.</exception>
    public static async Task<MailSender> StartAsync(LabFolder folder, Topology topology, IPAddress resolver, IPAddress? source = null, string name = "sender")
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(topology);
        var resolvConf = folder.In(name + ".resolv.conf");
        await File.WriteAllTextAsync(resolvConf, $"nameserver {resolver}\noptions timeout:2 attempts:3\n");
        var settings =
            $"""
            myhostname = {name}.example.org
            myorigin = example.org
            mydestination =
            inet_interfaces = loopback-only
            inet_protocols = all
            smtp_address_preference = ipv6
            smtp_connect_timeout = 10s
            smtp_connection_cache_on_demand = no
            smtp_tls_security_level = none
            {(source is null ? "" : $"smtp_bind_address6 = {source}")}

            """;
        var postfix = await PostfixInstance.StartAsync(folder, name, topology.Internet, settings, "", (resolvConf, "/etc/resolv.conf"));
        return new(topology.Internet, postfix);
    }

    /// <summary>Hands it a message.</summary>
    /// <param name="marker">What tells this message from all others; letters and digits.</param>
    /// <param name="recipient">Whom it is for.</param>
    /// <param name="size">About how many bytes long it shall be; 0: a line.</param>
    /// <exception cref="LabException">It was not taken.</exception>
    public async Task SendAsync(string marker, string recipient = "you@example.com", int size = 0)
    {
        const string Line = "The quick brown fox jumps over the lazy dog, again and again, line by line.\n";
        var message = new StringBuilder(
            $"""
            From: Somebody <somebody@example.org>
            To: <{recipient}>
            Subject: {marker}
            Message-ID: <{marker}@lab.example.org>
            {MailBackend.MarkerHeader}: {marker}

            A message of the lab.

            """);
        while (message.Length < size)
            message.Append(Line);
        (await new Command("sendmail", "-i", "-f", "somebody@example.org", "-t") { In = _where, Binds = Postfix.Binds, Input = message.ToString() }
            .RunAsync(TimeSpan.FromSeconds(60))).Demand();
    }

    /// <summary>What became of a message's first attempt that matches, out of the mail log.</summary>
    /// <param name="marker">As given to <see cref="SendAsync"/>.</param>
    /// <param name="status">The status waited for, such as sent or deferred; null: any.</param>
    /// <param name="timeout">How long to wait; 20 seconds where null.</param>
    /// <exception cref="LabException">Nothing of the kind was logged in time.</exception>
    public async Task<DeliveryReport> WaitForReportAsync(string marker, string? status = null, TimeSpan? timeout = null)
    {
        var accepted = await Postfix.Process.WaitForLineAsync($"message-id=<{marker}@", timeout ?? TimeSpan.FromSeconds(20));
        var queueId = QueueId().Match(accepted).Groups[1].Value;
        var line = await Postfix.Process.WaitForLineAsync(
            candidate => candidate.Contains($" {queueId}: to=<", StringComparison.Ordinal)
                && candidate.Contains("status=" + status, StringComparison.Ordinal),
            $"the {status ?? "fate"} of message {marker} ({queueId})",
            timeout ?? TimeSpan.FromSeconds(20));
        var relay = Relay().Match(line);
        return new(
            StatusWord().Match(line).Groups[1].Value,
            relay.Success && IPAddress.TryParse(relay.Groups[1].Value, out var address) ? address : null,
            double.TryParse(Delay().Match(line).Groups[1].Value, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : TimeSpan.Zero,
            line);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Postfix.DisposeAsync();

    [GeneratedRegex(@"cleanup\[\d+\]: (\w+): message-id=")]
    private static partial Regex QueueId();

    [GeneratedRegex(@"relay=[^\[,]*\[([0-9a-fA-F:.]+)\]")]
    private static partial Regex Relay();

    [GeneratedRegex(@"status=(\w+)")]
    private static partial Regex StatusWord();

    [GeneratedRegex(@"delay=([0-9.]+)")]
    private static partial Regex Delay();
}

/// <summary>What a sender's log says of one attempt to deliver.</summary>
/// <param name="Status">sent, deferred or bounced.</param>
/// <param name="Relay">The address it delivered to; null where it reached none.</param>
/// <param name="Delay">From the message's arrival to this.</param>
/// <param name="Line">The log line itself.</param>
public sealed record DeliveryReport(string Status, IPAddress? Relay, TimeSpan Delay, string Line);
