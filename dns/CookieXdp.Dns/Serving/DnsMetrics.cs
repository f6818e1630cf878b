using System.Net;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;
using Prometheus;

namespace CookieXdp.Dns.Serving;

/// <summary>Serves /metrics. The listeners count in memory of their own; a scrape adds that up and copies it here.</summary>
internal sealed class DnsMetrics : IAsyncDisposable
{
    // A registry of its own holds none of the library's defaults.
    private readonly CollectorRegistry _registry = Metrics.NewCustomRegistry();
    private readonly Counter _queries;
    private readonly Counter _minted;
    private readonly Counter _keyless;
    private readonly Counter _truncated;
    private readonly Counter _dropped;
    private readonly Gauge _connections;
    private readonly Counter _accepted;
    private readonly Counter _refused;
    private readonly Gauge _serial;
    private readonly Gauge _heartbeat;
    private readonly MetricsEndPoint _endPoint;
    private readonly DnsServer _dns;

    /// <summary>Begins to serve.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">The address cannot be bound.</exception>
    internal DnsMetrics(DnsServer dns, IPEndPoint endPoint)
    {
        _dns = dns;
        var factory = Metrics.WithCustomRegistry(_registry);
        _queries = factory.CreateCounter("cookiexdp_dns_queries_total", "Queries that were answered.", "transport", "type", "rcode");
        _minted = factory.CreateCounter("cookiexdp_dns_minted_total", "Addresses minted, repetitions of the same one included.", "service");
        _keyless = factory.CreateCounter("cookiexdp_dns_keyless_total", "Template names asked for while there was no key to mint with (SERVFAIL).");
        _truncated = factory.CreateCounter("cookiexdp_dns_truncated_total", "Answers that said TC because they did not fit.");
        _dropped = factory.CreateCounter("cookiexdp_dns_dropped_total", "What came and got no answer.", "transport", "reason");
        _connections = factory.CreateGauge("cookiexdp_dns_tcp_connections", "TCP connections now.");
        _accepted = factory.CreateCounter("cookiexdp_dns_tcp_accepted_total", "TCP connections accepted.");
        _refused = factory.CreateCounter("cookiexdp_dns_tcp_refused_total", "TCP connections closed at once: over the limit of all, or of one client.", "limit");
        _serial = factory.CreateGauge("cookiexdp_dns_zone_serial", "The serial of the zone that is served.", "zone");
        _heartbeat = factory.CreateGauge("cookiexdp_keyring_heartbeat_timestamp_seconds", "When the keeper last wrote the keyring that is in use; 0: none was read.");
        _registry.AddBeforeCollectCallback(Copy);

        _endPoint = new MetricsEndPoint(endPoint, _registry);
    }

    /// <summary>Where they are served.</summary>
    internal IPEndPoint LocalEndPoint => _endPoint.LocalEndPoint;

    /// <summary>Stops serving.</summary>
    public ValueTask DisposeAsync() => _endPoint.DisposeAsync();

    private void Copy()
    {
        CopyQueries("udp", _dns.UdpCounters);
        CopyQueries("tcp", [_dns.TcpCounters.Queries]);
        QueryCounters[] all = [.. _dns.UdpCounters, _dns.TcpCounters.Queries];
        foreach (var byName in _dns.Services.ByIndex.OfType<MintedService>().GroupBy(service => service.Name, StringComparer.Ordinal))
            _minted.WithLabels(byName.Key).IncTo(byName.Sum(service => all.Sum(counters => counters.Minted(service.Index))));
        _keyless.IncTo(all.Sum(counters => counters.Keyless));
        _truncated.IncTo(all.Sum(counters => counters.Truncated));
        _connections.Set(_dns.Limits.Count);
        _accepted.IncTo(_dns.TcpCounters.Accepted);
        _refused.WithLabels("client").IncTo(_dns.TcpCounters.RefusedClient);
        _refused.WithLabels("total").IncTo(_dns.TcpCounters.RefusedTotal);
        foreach (var zone in _dns.Responder.Zones.All)
            _serial.WithLabels(zone.Name.ToString()).Set(zone.Serial);
        _heartbeat.Set(_dns.Keyring?.Heartbeat ?? 0);
    }

    private void CopyQueries(string transport, IReadOnlyCollection<QueryCounters> all)
    {
        for (var type = 0; type <= QueryCounters.Types.Count; type++)
        {
            var typeName = type < QueryCounters.Types.Count ? QueryCounters.Types[type].Name : "other";
            for (var code = 0; code < QueryCounters.Codes.Count; code++)
            {
                var count = all.Sum(counters => counters.Answers(type, code));
                // Most pairs never occur: they are not shown before they do.
                if (count > 0)
                    _queries.WithLabels(transport, typeName, QueryCounters.Codes[code].Name).IncTo(count);
            }
        }
        foreach (var reason in Enum.GetValues<DropReason>())
        {
            var name = reason.ToString();
            _dropped.WithLabels(transport, char.ToLowerInvariant(name[0]) + name[1..]).IncTo(all.Sum(counters => counters.Drops(reason)));
        }
    }
}
