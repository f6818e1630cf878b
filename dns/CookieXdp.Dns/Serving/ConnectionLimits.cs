using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace CookieXdp.Dns.Serving;

/// <summary>Who of TCP's clients is counted as one: an IPv4 address, or an IPv6 /64.</summary>
/// <param name="Network">The address, or the upper half of it.</param>
/// <param name="IsIpv6">Which of the two.</param>
internal readonly record struct ClientKey(ulong Network, bool IsIpv6)
{
    /// <summary>The client of an address.</summary>
    internal static ClientKey Of(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return address.AddressFamily == AddressFamily.InterNetwork
            ? new(BinaryPrimitives.ReadUInt32BigEndian(bytes), IsIpv6: false)
            : new(BinaryPrimitives.ReadUInt64BigEndian(bytes), IsIpv6: true);
    }
}

/// <summary>How many TCP connections there are, in all and of each client, over all listening addresses.</summary>
internal sealed class ConnectionLimits(int total, int perClient)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ClientKey, int> _byClient = [];
    private int _count;

    /// <summary>Connections now.</summary>
    internal int Count => Volatile.Read(ref _count);

    /// <summary>Takes a place for a connection.</summary>
    /// <param name="client">Whose it is.</param>
    /// <param name="isClientsOwn">Where there is none: whether it is this client that has too many.</param>
    internal bool TryEnter(ClientKey client, out bool isClientsOwn)
    {
        lock (_lock)
        {
            var own = _byClient.GetValueOrDefault(client);
            isClientsOwn = own >= perClient;
            if (isClientsOwn || _count >= total)
                return false;
            _byClient[client] = own + 1;
            _count++;
            return true;
        }
    }

    /// <summary>Gives the place back.</summary>
    internal void Leave(ClientKey client)
    {
        lock (_lock)
        {
            if (_byClient[client] == 1)
                _byClient.Remove(client);
            else
                _byClient[client]--;
            _count--;
        }
    }
}
