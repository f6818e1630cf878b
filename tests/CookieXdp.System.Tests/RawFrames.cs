using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using CookieXdp.Lab;

namespace CookieXdp.SystemTests;

/// <summary>Frames as they are, out of a packet socket: also those that no stack would send.</summary>
internal sealed class RawFrames : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _peerMac;

    public RawFrames(Namespace from, string device)
    {
        var edgeDevice = device == Topology.WireInterface ? Topology.UplinkInterface : Topology.InsideInterface;
        var edge = from.Name[..from.Name.LastIndexOf('-')] + "-edge";
        _peerMac = MacOf(edge, edgeDevice);
        var (index, socket) = from.Inside(() =>
        {
            var opened = new Socket(AddressFamily.Packet, SocketType.Raw, 0);
            var found = (int)opened.AddressFamily == 0 ? 0 : IndexOf(device);
            return (found, opened);
        });
        _socket = socket;
        // struct sockaddr_ll: family, protocol, ifindex, then hardware type, packet type and address, which sending needs not.
        var address = new SocketAddress(AddressFamily.Packet, 20);
        BinaryPrimitives.WriteInt32LittleEndian(address.Buffer.Span[4..], index);
        _socket.Bind(new LinkEndPoint(address));
    }

    /// <summary>Sends frames that begin as TCP to or from the given addresses and are then spoiled in every way.</summary>
    public void SendGarbage(IPAddress destination, IPAddress source, int count)
    {
        var random = new Random(count);
        Span<byte> whole = stackalloc byte[14 + 40 + 20 + 40];
        for (var i = 0; i < count; i++)
        {
            random.NextBytes(whole);
            _peerMac.CopyTo(whole);
            BinaryPrimitives.WriteUInt16BigEndian(whole[12..], 0x86DD);
            whole[14] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(whole[18..], 60);
            whole[20] = (i % 4) switch { 0 => 6, 1 => 44, 2 => 58, _ => (byte)random.Next(256) };
            source.TryWriteBytes(whole[22..], out _);
            destination.TryWriteBytes(whole[38..], out _);
            if (random.Next(2) == 0)
                BinaryPrimitives.WriteUInt16BigEndian(whole[54..], 25);
            for (var changes = random.Next(3); changes > 0; changes--)
                whole[random.Next(12, whole.Length)] ^= (byte)random.Next(256);
            _socket.Send(random.Next(3) == 0 ? whole[..random.Next(14, whole.Length)] : whole);
            if (i % 100 == 99)
                Thread.Sleep(2);
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private static int IndexOf(string device) =>
        NetworkInterface.GetAllNetworkInterfaces().Single(found => found.Name == device).GetIPProperties().GetIPv6Properties().Index;

    private static byte[] MacOf(string edge, string device) =>
        Convert.FromHexString(new Command("ip", "-n", edge, "-o", "link", "show", device).RunAsync().GetAwaiter().GetResult().Demand().Output
            .Split("link/ether ")[1][..17].Replace(":", "", StringComparison.Ordinal));

    private sealed class LinkEndPoint(SocketAddress address) : EndPoint
    {
        public override AddressFamily AddressFamily => AddressFamily.Packet;

        public override SocketAddress Serialize() => address;
    }
}
