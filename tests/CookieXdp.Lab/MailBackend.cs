using System.Collections.Concurrent;
using System.Diagnostics;

namespace CookieXdp.Lab;

/// <summary>The mail server behind the edge: a real Postfix that takes all mail for example.com into a Maildir of the run's folder.</summary>
public sealed class MailBackend : IAsyncDisposable
{
    /// <summary>The header that has a message's marker.</summary>
    public const string MarkerHeader = "X-Lab-Marker";

    // Debian's nobody and nogroup; the mailboxes are looked into by root.
    private const int Owner = 65534;

    private readonly string _mailboxes;
    private readonly ConcurrentDictionary<string, byte> _searched = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _found = new(StringComparer.Ordinal);

    private MailBackend(PostfixInstance postfix, string mailboxes)
    {
        Postfix = postfix;
        _mailboxes = mailboxes;
    }

    /// <summary>The running Postfix.</summary>
    public PostfixInstance Postfix { get; }

    /// <summary>Connections that it has seen begin.</summary>
    public int Connections => Postfix.Process.Lines.Count(line => line.Contains("]: connect from ", StringComparison.Ordinal));

    /// <summary>Starts it.</summary>
    /// <exception cref="LabException">It did not come up.</exception>
    public static async Task<MailBackend> StartAsync(LabFolder folder, Topology topology)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(topology);
        var store = folder.MakeFolder("mailboxes");
        SystemCalls.GiveTo(store, Owner);
        var settings =
            $"""
            myhostname = mx.example.com
            mydestination =
            inet_interfaces = all
            inet_protocols = ipv6
            smtpd_peername_lookup = no
            smtpd_client_connection_count_limit = 0
            smtpd_client_connection_rate_limit = 0
            smtpd_relay_restrictions = reject_unauth_destination
            smtpd_tls_security_level = none
            virtual_transport = virtual
            virtual_mailbox_domains = example.com
            virtual_mailbox_base = /var/mail
            virtual_mailbox_maps = static:inbox/
            default_transport = discard
            virtual_minimum_uid = 1000
            virtual_uid_maps = static:{Owner}
            virtual_gid_maps = static:{Owner}

            """;
        var postfix = await PostfixInstance.StartAsync(
            folder, "backend", topology.Mail, settings, "smtp inet n - n - - smtpd\n", (store, "/var/mail"));
        return new(postfix, store);
    }

    /// <summary>The Maildir that all recipients share, made with the first message.</summary>
    public string Maildir => Path.Combine(_mailboxes, "inbox");

    /// <summary>Waits until a message has been delivered.</summary>
    /// <param name="marker">As given to <see cref="MailSender.SendAsync"/>.</param>
    /// <param name="timeout">How long to wait; 20 seconds where null.</param>
    /// <returns>The message's file in the Maildir.</returns>
    /// <exception cref="LabException">It has not come in time.</exception>
    public async Task<string> WaitForMailAsync(string marker, TimeSpan? timeout = null)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(20);
        var watch = Stopwatch.StartNew();
        string? file;
        while ((file = Find(marker)) is null)
        {
            if (watch.Elapsed > limit)
                throw new LabException($"the message {marker} was not in a mailbox within {limit.TotalSeconds:0.#} s.\n{Postfix.Process.Tail()}");
            await Task.Delay(50);
        }

        return file;
    }

    /// <summary>The file of a message that has been delivered; null where it has not.</summary>
    public string? Find(string marker)
    {
        if (_found.TryGetValue(marker, out var known))
            return known;
        var arrived = Path.Combine(Maildir, "new");
        if (!Directory.Exists(arrived))
            return null;
        foreach (var file in Directory.GetFiles(arrived))
            if (_searched.TryAdd(file, 0) && MarkerOf(file) is { } itsMarker)
                _found[itsMarker] = file;
        return _found.GetValueOrDefault(marker);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Postfix.DisposeAsync();

    private static string? MarkerOf(string file)
    {
        const string Start = MarkerHeader + ": ";
        foreach (var line in File.ReadLines(file))
        {
            if (line.Length == 0)
                return null;
            if (line.StartsWith(Start, StringComparison.OrdinalIgnoreCase))
                return line[Start.Length..].Trim();
        }

        return null;
    }
}
