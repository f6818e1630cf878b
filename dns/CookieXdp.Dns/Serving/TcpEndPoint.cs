using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using CookieXdp.Cookies;
using CookieXdp.Dns.Answers;
using Microsoft.Extensions.Logging;

namespace CookieXdp.Dns.Serving;

/// <summary>Accepts TCP connections at one address, within the limits, each served by a <see cref="TcpSession"/>.</summary>
internal sealed class TcpEndPoint : IAsyncDisposable
{
    private readonly QueryResponder _responder;
    private readonly ConnectionLimits _limits;
    private readonly TcpCounters _counters;
    private readonly TimeProvider _time;
    private readonly TcpTimeouts _timeouts;
    private readonly FaultLog _faults;
    private readonly ILogger _logger;
    private readonly Socket _socket;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, bool> _sessions = new();
    private Task _accepting = Task.CompletedTask;

    /// <summary>Binds the address and lets connections wait.</summary>
    /// <exception cref="SocketException">It cannot be bound.</exception>
    internal TcpEndPoint(IPEndPoint endPoint, QueryResponder responder, ConnectionLimits limits, TcpCounters counters, TimeProvider time, TcpTimeouts timeouts, FaultLog faults, ILogger logger)
    {
        _responder = responder;
        _limits = limits;
        _counters = counters;
        _time = time;
        _timeouts = timeouts;
        _faults = faults;
        _logger = logger;
        _socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
                _socket.DualMode = false;
            _socket.Bind(endPoint);
            _socket.Listen(512);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
        LocalEndPoint = (IPEndPoint)_socket.LocalEndPoint!;
    }

    /// <summary>Where it listens.</summary>
    internal IPEndPoint LocalEndPoint { get; }

    /// <summary>Begins to accept.</summary>
    internal void Start() => _accepting = Task.Run(AcceptAsync);

    /// <summary>Stops accepting and ends all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        await _accepting.ConfigureAwait(false);
        await Task.WhenAll(_sessions.Keys).ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var failures = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Admit(await _socket.AcceptAsync(_stop.Token).ConfigureAwait(false));
                failures = 0;
            }
            catch (Exception e) when (_stop.IsCancellationRequested && e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // Out of descriptors, or a client that was gone before it was accepted; at once again would only be busy.
                if (failures++ == 0)
                    _logger.LogWarning("{EndPoint}/tcp: a connection could not be accepted: {Reason}", LocalEndPoint, e.Message);
                await Task.Delay(failures == 1 ? 1 : 50).ConfigureAwait(false);
            }
        }
    }

    private void Admit(Socket client)
    {
        if (RemoteOf(client) is not { } remote)
        {
            client.Dispose();
            return;
        }
        var key = ClientKey.Of(remote.Address);
        if (!_limits.TryEnter(key, out var isClientsOwn))
        {
            _counters.CountRefused(isClientsOwn);
            client.Dispose();
            return;
        }
        _counters.CountAccepted();
        var session = Task.Run(() => ServeAsync(client, key, ResolverNetwork.FromAddress(remote.Address)));
        _sessions.TryAdd(session, true);
        _ = session.ContinueWith(ended => _sessions.TryRemove(ended, out _), TaskScheduler.Default);
    }

    private static IPEndPoint? RemoteOf(Socket client)
    {
        try
        {
            return client.RemoteEndPoint as IPEndPoint;
        }
        catch (SocketException)
        {
            // Gone between accept and now.
            return null;
        }
    }

    private async Task ServeAsync(Socket client, ClientKey key, ResolverNetwork resolver)
    {
        try
        {
            client.NoDelay = true;
            await new TcpSession(client, resolver, _responder, _counters.Queries, _time, _timeouts).RunAsync(_stop.Token).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // Gone before it was served.
        }
        catch (Exception e)
        {
            // Whatever one client brings about, the others are served.
            _counters.Queries.CountDrop(DropReason.Fault);
            _faults.Tell(LocalEndPoint, "tcp", e);
        }
        finally
        {
            client.Dispose();
            _limits.Leave(key);
        }
    }
}
