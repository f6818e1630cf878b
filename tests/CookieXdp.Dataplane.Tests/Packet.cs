using System.Buffers.Binary;
using System.Net;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// A TCP segment over IPv6 over Ethernet as a test reads it, and the bytes it makes. The checksum is summed up in full here, word by
/// word, by code that shares nothing with the packet path's.
/// </summary>
internal sealed record Packet
{
    public string Source { get; init; } = "2001:db8:c::7";

    public int SourcePort { get; init; } = 40000;

    public string Destination { get; init; } = "2001:db8:25::1";

    public int DestinationPort { get; init; } = 25;

    public TcpFlags Flags { get; init; } = TcpFlags.Syn;

    public uint Sequence { get; init; } = 1000;

    public uint Acknowledgment { get; init; }

    public byte HopLimit { get; init; } = 64;

    public byte NextHeader { get; init; } = 6;

    public string SourceMac { get; init; } = "02:00:00:00:00:0c";

    public string DestinationMac { get; init; } = "02:00:00:00:00:0e";

    public int[] VlanTags { get; init; } = [];

    public byte[] Payload { get; init; } = [];

    /// <summary>Bytes behind the IPv6 packet, as Ethernet pads short frames.</summary>
    public int Padding { get; init; }

    public byte[] ToBytes()
    {
        var tcp = new byte[20 + Payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(tcp, (ushort)SourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(2), (ushort)DestinationPort);
        BinaryPrimitives.WriteUInt32BigEndian(tcp.AsSpan(4), Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp.AsSpan(8), Acknowledgment);
        tcp[12] = 5 << 4;
        tcp[13] = (byte)Flags;
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(14), 65535);
        Payload.CopyTo(tcp, 20);

        var ip = new byte[40];
        ip[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(4), (ushort)tcp.Length);
        ip[6] = NextHeader;
        ip[7] = HopLimit;
        IPAddress.Parse(Source).GetAddressBytes().CopyTo(ip, 8);
        IPAddress.Parse(Destination).GetAddressBytes().CopyTo(ip, 24);
        BinaryPrimitives.WriteUInt16BigEndian(tcp.AsSpan(16), Checksum(ip, tcp));

        var frame = new List<byte>();
        frame.AddRange(Mac(DestinationMac));
        frame.AddRange(Mac(SourceMac));
        for (var i = 0; i < VlanTags.Length; i++)
            frame.AddRange([i == 0 && VlanTags.Length > 1 ? (byte)0x88 : (byte)0x81, i == 0 && VlanTags.Length > 1 ? (byte)0xA8 : (byte)0x00, (byte)(VlanTags[i] >> 8), (byte)VlanTags[i]]);
        frame.AddRange([0x86, 0xDD, .. ip, .. tcp, .. new byte[Padding]]);
        return [.. frame];
    }

    /// <summary>Whether the TCP checksum of a frame is right, summed up in full.</summary>
    public static bool HasRightChecksum(ReadOnlySpan<byte> frame, int network = 14)
    {
        var ip = frame.Slice(network, 40);
        var tcp = frame.Slice(network + 40, BinaryPrimitives.ReadUInt16BigEndian(ip[4..])).ToArray();
        var stated = BinaryPrimitives.ReadUInt16BigEndian(tcp.AsSpan(16));
        tcp[16] = tcp[17] = 0;
        return Checksum(ip, tcp) == stated;
    }

    private static ushort Checksum(ReadOnlySpan<byte> ip, ReadOnlySpan<byte> tcp)
    {
        long sum = tcp.Length + 6;
        for (var i = 8; i < 40; i += 2)
            sum += (ip[i] << 8) | ip[i + 1];
        for (var i = 0; i < tcp.Length; i += 2)
            sum += (tcp[i] << 8) | (i + 1 < tcp.Length ? tcp[i + 1] : 0);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }

    private static byte[] Mac(string text) => Convert.FromHexString(text.Replace(":", "", StringComparison.Ordinal));
}
