using System.Net;
using System.Net.Sockets;
using CookieXdp.Cookies;
using CookieXdp.Dns.Serving;
using CookieXdp.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace CookieXdp.Dns.Tests;

/// <summary>The whole server in this process, on loopback, with a keyring of now.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    private readonly string _folder;

    private TestServer(string folder, DnsServer server)
    {
        _folder = folder;
        Server = server;
    }

    internal DnsServer Server { get; }

    internal int Port => Server.EndPoints[0].Port;

    internal string ZonePath => Path.Combine(_folder, "zone");

    internal static TestServer Start(string zone, TcpTimeouts? timeouts = null, IPAddress? address = null)
    {
        var folder = Directory.CreateTempSubdirectory("cookiexdp-dns").FullName;
        File.WriteAllText(Path.Combine(folder, "zone"), zone);
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        KeyringFile.Publish(Path.Combine(folder, "keyring"), Keyring.Write([TestZones.Master], [.. TestZones.Settings.Prefixes.Select(prefix => prefix.Prefix)], 1, now));
        var settings = TestZones.Settings with { Keyring = Path.Combine(folder, "keyring") };
        var dns = new DnsSettings([new IPEndPoint(address ?? IPAddress.Loopback, TestPorts.Free())], new IPEndPoint(address ?? IPAddress.Loopback, 0), [new("mx.example.com", Path.Combine(folder, "zone"))]);
        return new(folder, DnsServer.Start(settings, dns, TimeProvider.System, timeouts ?? TcpTimeouts.Default, NullLogger.Instance));
    }

    /// <summary>Asks by UDP; a fresh socket each time, so that no late answer is taken for this one.</summary>
    internal async Task<Reply> AskAsync(Query query, int seconds = 5)
    {
        using var socket = new Socket(Server.EndPoints[0].AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(Server.EndPoints[0]);
        await socket.SendAsync(query.ToBytes());
        var buffer = new byte[4096];
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        return Reply.Read(buffer.AsSpan(0, await socket.ReceiveAsync(buffer, deadline.Token)));
    }

    internal async Task<TestConnection> ConnectAsync(IPAddress? from = null, int? receiveBuffer = null)
    {
        var socket = new Socket(Server.EndPoints[0].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } size)
            socket.ReceiveBufferSize = size;
        if (from is not null)
            socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(Server.EndPoints[0]);
        return new(socket);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>A TCP client that does what it is told, byte by byte where asked.</summary>
internal sealed class TestConnection(Socket socket) : IDisposable
{
    private readonly NetworkStream _stream = new(socket, ownsSocket: true);

    internal static byte[] Frame(byte[] message) => [(byte)(message.Length >> 8), (byte)message.Length, .. message];

    internal Task SendAsync(byte[] bytes) => _stream.WriteAsync(bytes).AsTask();

    internal async Task<Reply> ReceiveAsync(int seconds = 5)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var prefix = new byte[2];
        await _stream.ReadExactlyAsync(prefix, deadline.Token);
        var message = new byte[prefix[0] << 8 | prefix[1]];
        await _stream.ReadExactlyAsync(message, deadline.Token);
        return Reply.Read(message);
    }

    /// <summary>Waits for the server to close the connection.</summary>
    /// <returns>Bytes that came before that.</returns>
    internal async Task<long> WaitForCloseAsync(int seconds = 10)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var buffer = new byte[65_536];
        long total = 0;
        try
        {
            while (await _stream.ReadAsync(buffer, deadline.Token) is var read and > 0)
                total += read;
        }
        catch (IOException)
        {
            // Reset: closed with bytes of ours unread.
        }
        return total;
    }

    public void Dispose() => _stream.Dispose();
}
