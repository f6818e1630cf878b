using System.Buffers.Binary;
using System.Net;

namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>Packets as the XDP program's tests write them down: Ethernet(Ip(…, Tcp(…))).</summary>
internal static class Packet
{
    internal const byte HopByHop = 0, TcpNext = 6, UdpNext = 17, Routing = 43, Fragment = 44, Esp = 50, Authentication = 51, Icmp = 58, None = 59, Destination = 60,
        Mobility = 135, Sctp = 132, Hip = 139, Shim6 = 140;

    internal const ushort Ip6 = 0x86dd, Ip4 = 0x0800, Vlan = 0x8100, QinQ = 0x88a8;

    /// <summary>A frame; tags are given outermost first, as (ethertype, VLAN).</summary>
    internal static byte[] Ethernet(byte[] payload, ushort type = Ip6, params (ushort Type, ushort Id)[] tags)
    {
        var frame = new byte[14 + (4 * tags.Length) + payload.Length];
        for (var i = 0; i < 12; i++)
            frame[i] = (byte)(0x02 + i);
        var at = 12;
        foreach (var (tag, id) in tags)
        {
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(at), tag);
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(at + 2), id);
            at += 4;
        }
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(at), type);
        payload.CopyTo(frame, at + 2);
        return frame;
    }

    internal static byte[] Ip(string from, string to, byte next, byte[] payload, byte version = 6)
    {
        var packet = new byte[40 + payload.Length];
        packet[0] = (byte)(version << 4);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)payload.Length);
        packet[6] = next;
        packet[7] = 64;
        IPAddress.Parse(from).GetAddressBytes().CopyTo(packet, 8);
        IPAddress.Parse(to).GetAddressBytes().CopyTo(packet, 24);
        payload.CopyTo(packet, 40);
        return packet;
    }

    internal static byte[] Tcp(ushort from, ushort to)
    {
        var header = new byte[20];
        BinaryPrimitives.WriteUInt16BigEndian(header, from);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), to);
        header[12] = 5 << 4;
        header[13] = 2;
        return header;
    }

    internal static byte[] Udp(ushort from, ushort to)
    {
        var header = new byte[8];
        BinaryPrimitives.WriteUInt16BigEndian(header, from);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), to);
        return header;
    }

    internal static byte[] IcmpMessage(byte type, byte[] body, byte code = 0) => [type, code, 0, 0, 0, 0, 0, 0, .. body];

    internal static byte[] Solicitation(string target) => IcmpMessage(135, IPAddress.Parse(target).GetAddressBytes());

    /// <summary>Eight bytes of an extension header; a fragment header has just that shape too.</summary>
    internal static byte[] Extension(byte next, byte[] payload) => [next, 0, 0, 0, 0, 0, 0, 1, .. payload];

    /// <summary>A fragment of TCP.</summary>
    internal static byte[] Piece(uint identification, int position, bool more, byte[] payload) =>
        [TcpNext, 0, (byte)(position >> 8), (byte)(position & 0xF8 | (more ? 1 : 0)), (byte)(identification >> 24), (byte)(identification >> 16), (byte)(identification >> 8), (byte)identification, .. payload];
}
