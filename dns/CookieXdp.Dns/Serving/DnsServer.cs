using System.Net;
using System.Net.Sockets;
using CookieXdp.Cookies;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;
using Microsoft.Extensions.Logging;

namespace CookieXdp.Dns.Serving;

/// <summary>The address cannot be listened at; the message names it and says why.</summary>
internal sealed class ListenException(string message, Exception inner) : Exception(message, inner);

/// <summary>Everything that serves, put together: zones, keys, listeners and metrics.</summary>
internal sealed class DnsServer : IAsyncDisposable
{
    /// <summary>TCP connections in all.</summary>
    internal const int MaxConnections = 1024;

    /// <summary>TCP connections of one client.</summary>
    internal const int MaxConnectionsPerClient = 32;

    private readonly DnsSettings _settings;
    private readonly ILogger _logger;
    private readonly Lock _reloadLock = new();
    private readonly List<UdpEndPoint> _udp = [];
    private readonly List<TcpEndPoint> _tcp = [];
    private readonly KeyringWatcher _keyring;
    private readonly DnsMetrics? _metrics;
    private bool _isDisposed;

    private DnsServer(DnsSettings settings, string keyringPath, ProtectedServices services, ServedZones zones, TimeProvider time, TcpTimeouts timeouts, ILogger logger)
    {
        _settings = settings;
        _logger = logger;
        Services = services;
        var keys = new MintingKeys(services.Prefixes);
        Responder = new QueryResponder(zones, keys);
        var faults = new FaultLog(logger);
        var slots = services.ByIndex.Count;
        TcpCounters = new TcpCounters(new QueryCounters(slots, isShared: true));
        try
        {
            foreach (var endPoint in settings.Listen)
            {
                // The port of both transports is one, also where the system chooses it.
                var udp = Listen(endPoint, "udp", at => new UdpEndPoint(at, Responder, new QueryCounters(slots, isShared: false), time, faults));
                _udp.Add(udp);
                _tcp.Add(Listen(udp.LocalEndPoint, "tcp", at => new TcpEndPoint(at, Responder, Limits, TcpCounters, time, timeouts, faults, logger)));
            }
            _metrics = settings.Metrics is { } metrics ? Listen(metrics, "metrics", at => new DnsMetrics(this, at)) : null;
        }
        catch
        {
            _udp.ForEach(udp => udp.Dispose());
            _tcp.ForEach(tcp => tcp.DisposeAsync().AsTask().Wait());
            throw;
        }
        _keyring = new KeyringWatcher(keyringPath, problem => logger.LogWarning("{Problem}", problem), keyring => Use(keyring, keys));
    }

    /// <summary>Where it listens, UDP and TCP alike.</summary>
    internal IReadOnlyList<IPEndPoint> EndPoints => [.. _udp.Select(udp => udp.LocalEndPoint)];

    /// <summary>Where metrics are served; null where they are not.</summary>
    internal IPEndPoint? MetricsEndPoint => _metrics?.LocalEndPoint;

    /// <summary>The prefixes and services that are minted for.</summary>
    internal ProtectedServices Services { get; }

    /// <summary>What answers.</summary>
    internal QueryResponder Responder { get; }

    /// <summary>The keyring in use, or null where none was ever there.</summary>
    internal Keyring? Keyring => _keyring?.Current;

    /// <summary>What each UDP listener counts.</summary>
    internal IReadOnlyCollection<QueryCounters> UdpCounters => [.. _udp.Select(udp => udp.Counters)];

    /// <summary>What the TCP listeners count.</summary>
    internal TcpCounters TcpCounters { get; }

    /// <summary>The TCP connections.</summary>
    internal ConnectionLimits Limits { get; } = new(MaxConnections, MaxConnectionsPerClient);

    /// <summary>Loads the zones, binds all addresses and begins to answer.</summary>
    /// <exception cref="ZoneException">A zone has mistakes.</exception>
    /// <exception cref="ListenException">An address cannot be bound.</exception>
    internal static DnsServer Start(Settings settings, DnsSettings dns, TimeProvider time, TcpTimeouts timeouts, ILogger logger)
    {
        var services = new ProtectedServices(settings.Prefixes);
        var zones = ZoneLoader.Load(dns.Zones, services);
        var server = new DnsServer(dns, settings.Keyring, services, zones, time, timeouts, logger);
        server._udp.ForEach(udp => udp.Start());
        server._tcp.ForEach(tcp => tcp.Start());
        return server;
    }

    /// <summary>Reads the zones again. Where any has a mistake, all stay as they are, and the log says so.</summary>
    internal void Reload()
    {
        lock (_reloadLock)
        {
            try
            {
                Responder.Zones = ZoneLoader.Load(_settings.Zones, Services);
                foreach (var zone in Responder.Zones.All)
                    _logger.LogInformation("zone {Zone} loaded again: serial {Serial}, {Records} records, {Templates} templates", zone.Name, zone.Serial, zone.RecordCount, zone.TemplateCount);
            }
            catch (ZoneException e)
            {
                foreach (var error in e.Errors)
                    _logger.LogError("{Error}", error);
                _logger.LogError("the zones stay as they were loaded before: correct the above and send SIGHUP again");
            }
        }
    }

    /// <summary>Stops answering and frees all addresses.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        if (_metrics is not null)
            await _metrics.DisposeAsync().ConfigureAwait(false);
        foreach (var udp in _udp)
            udp.Dispose();
        foreach (var tcp in _tcp)
            await tcp.DisposeAsync().ConfigureAwait(false);
        _keyring.Dispose();
    }

    private void Use(Keyring keyring, MintingKeys keys)
    {
        keys.Use(keyring);
        foreach (var prefix in Services.Prefixes.Except(keyring.Prefixes))
            _logger.LogError("the keyring has no keys for {Prefix}: its template names get SERVFAIL until the keeper (cookiexdp keys serve) runs with a configuration that has this prefix", prefix);
    }

    private static T Listen<T>(IPEndPoint endPoint, string what, Func<IPEndPoint, T> bind)
    {
        try
        {
            return bind(endPoint);
        }
        catch (SocketException e)
        {
            var advice = e.SocketErrorCode switch
            {
                SocketError.AddressNotAvailable => ": no interface has this address",
                SocketError.AccessDenied => ": ports below 1024 need CAP_NET_BIND_SERVICE",
                _ => "",
            };
            throw new ListenException($"cannot listen at {endPoint} ({what}): {e.Message}{advice}", e);
        }
    }
}
