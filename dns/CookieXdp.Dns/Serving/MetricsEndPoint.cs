using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Prometheus;

namespace CookieXdp.Dns.Serving;

/// <summary>
/// Serves a registry as GET /metrics, one request a connection. The library's own server stands on HttpListener, which can bind
/// neither an IPv6 literal nor one address without insisting on its name in the Host header.
/// </summary>
internal sealed class MetricsEndPoint : IAsyncDisposable
{
    private const int MaxRequestLength = 8 * 1024;
    private const int MaxConnections = 16;

    private static readonly TimeSpan _timeout = TimeSpan.FromSeconds(10);

    private readonly CollectorRegistry _registry;
    private readonly Socket _socket;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _places = new(MaxConnections);
    private readonly Task _accepting;

    /// <summary>Binds the address and begins to serve.</summary>
    /// <exception cref="SocketException">It cannot be bound.</exception>
    internal MetricsEndPoint(IPEndPoint endPoint, CollectorRegistry registry)
    {
        _registry = registry;
        _socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
                _socket.DualMode = endPoint.Address.Equals(IPAddress.IPv6Any);
            _socket.Bind(endPoint);
            _socket.Listen(MaxConnections);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
        LocalEndPoint = (IPEndPoint)_socket.LocalEndPoint!;
        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>Where it listens.</summary>
    internal IPEndPoint LocalEndPoint { get; }

    /// <summary>Stops serving and frees the address.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _socket.Dispose();
        await _accepting.ConfigureAwait(false);
        // All places free: no request is served any more.
        for (var i = 0; i < MaxConnections; i++)
            await _places.WaitAsync().ConfigureAwait(false);
        _places.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await _socket.AcceptAsync(_stop.Token).ConfigureAwait(false);
                if (_places.Wait(TimeSpan.Zero))
                    _ = ServeAsync(client);
                else
                    client.Dispose();
            }
            catch (Exception e) when (_stop.IsCancellationRequested && e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // Out of descriptors, most likely: the next scrape is soon enough.
                await Task.Delay(50).ConfigureAwait(false);
            }
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        deadline.CancelAfter(_timeout);
        try
        {
            var stream = new NetworkStream(client, ownsSocket: true);
            await using var _ = stream.ConfigureAwait(false);
            var request = await ReadRequestAsync(stream, deadline.Token).ConfigureAwait(false);
            if (request is null)
                return;
            await stream.WriteAsync(await AnswerAsync(request, deadline.Token).ConfigureAwait(false), deadline.Token).ConfigureAwait(false);
            client.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The scraper is gone or too slow.
        }
        finally
        {
            client.Dispose();
            _places.Release();
        }
    }

    /// <summary>Reads up to the empty line behind the header (RFC 9112 §2.1).</summary>
    /// <returns>The first line, or null where there is no end in sight.</returns>
    private static async Task<string?> ReadRequestAsync(NetworkStream stream, CancellationToken cancellation)
    {
        var buffer = new byte[MaxRequestLength];
        for (var length = 0; length < buffer.Length;)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(length), cancellation).ConfigureAwait(false);
            if (read == 0)
                return null;
            length += read;
            var header = buffer.AsSpan(0, length);
            if (header.IndexOf("\r\n\r\n"u8) >= 0 || header.IndexOf("\n\n"u8) >= 0)
                return Encoding.Latin1.GetString(header[..header.IndexOf((byte)'\n')]).TrimEnd('\r');
        }
        return null;
    }

    private async Task<byte[]> AnswerAsync(string request, CancellationToken cancellation)
    {
        using var body = new MemoryStream();
        var status = "200 OK";
        var words = request.Split(' ');
        var path = words.Length > 1 ? words[1].Split('?')[0] : "";
        if (words[0] is not ("GET" or "HEAD"))
            status = "405 Method Not Allowed";
        else if (path is not ("/metrics" or "/metrics/"))
            status = "404 Not Found";
        else
            await _registry.CollectAndExportAsTextAsync(body, cancellation).ConfigureAwait(false);
        if (status[0] != '2')
            body.Write(Encoding.ASCII.GetBytes($"{status}: GET /metrics is what is here\n"));
        var type = status[0] == '2' ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8";
        var header = string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n");
        return words[0] == "HEAD" ? Encoding.ASCII.GetBytes(header) : [.. Encoding.ASCII.GetBytes(header), .. body.ToArray()];
    }
}
