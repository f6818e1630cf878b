using System.Net;
using System.Net.Sockets;

namespace CookieXdp.Dns.Tests;

/// <summary>Ports for servers that need the same one for both transports.</summary>
internal static class TestPorts
{
    private static int _next = Random.Shared.Next(10_000, 30_000);

    /// <summary>
    /// A port that is free on loopback for UDP and TCP, below those that the system gives to clients by itself: one of these may be
    /// free for one transport and taken for the other. No two calls of a run give the same.
    /// </summary>
    internal static int Free()
    {
        for (var attempt = 0; attempt < 1000; attempt++)
        {
            var port = 10_000 + Interlocked.Increment(ref _next) % 20_000;
            try
            {
                foreach (var address in new[] { IPAddress.Loopback, IPAddress.IPv6Loopback })
                {
                    using var udp = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                    using var tcp = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                    udp.Bind(new IPEndPoint(address, port));
                    tcp.Bind(new IPEndPoint(address, port));
                }
                return port;
            }
            catch (SocketException)
            {
                // Taken.
            }
        }
        throw new InvalidOperationException("no loopback port is free");
    }
}
