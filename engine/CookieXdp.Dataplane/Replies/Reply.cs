using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// Makes a frame into the answer to itself, in place: it leaves by the side that it came from, with its VLAN tags, to the neighbour that had sent it.
/// Nothing here asks whether an answer is due; that is <see cref="SlowPath"/>'s.
/// </summary>
internal static unsafe class Reply
{
    private const byte HopLimit = 64;

    /// <summary>Bytes of an ICMPv6 error besides what it quotes.</summary>
    private const int ErrorHeaders = HeaderLayout.Ipv6Length + HeaderLayout.IcmpLength;

    /// <summary>What of a TCP header is quoted at least, for its sender to know it again: ports and sequence number.</summary>
    private const int LeastQuotedTcp = 8;

    /// <summary>ff02::1 (RFC 4291, section 2.7.1).</summary>
    private static ReadOnlySpan<byte> AllNodes => [0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    /// <summary>Its hardware address (RFC 2464, section 7).</summary>
    private static ReadOnlySpan<byte> AllNodesMac => [0x33, 0x33, 0, 0, 0, 1];

    /// <summary>A segment's answer from a host where nothing listens (RFC 9293, section 3.10.7.1): sequence 0, and all that a SYN occupies acknowledged.</summary>
    internal static void Reset(ref Frame frame)
    {
        var ip = frame.Ip;
        var received = frame.Data + frame.TransportOffset;
        var data = frame.Length - frame.TransportOffset - (received[HeaderLayout.TcpDataOffsetOffset] >> 4) * 4;
        var acknowledgment = FrameParser.ReadUInt32(received + HeaderLayout.TcpSequenceOffset) + 1 + (uint)data;
        var ports = uint.RotateLeft(Unsafe.ReadUnaligned<uint>(received), 16);
        SwapAddresses(ip);
        WriteIpv6(ip, HeaderLayout.TcpMinLength, HeaderLayout.NextHeaderTcp, HopLimit);
        var tcp = ip + HeaderLayout.Ipv6Length;
        new Span<byte>(tcp, HeaderLayout.TcpMinLength).Clear();
        Unsafe.WriteUnaligned(tcp, ports);
        Unsafe.WriteUnaligned(tcp + HeaderLayout.TcpAcknowledgmentOffset, BinaryPrimitives.ReverseEndianness(acknowledgment));
        tcp[HeaderLayout.TcpDataOffsetOffset] = HeaderLayout.TcpMinLength / 4 << 4;
        tcp[HeaderLayout.TcpFlagsOffset] = (byte)(TcpFlags.Rst | TcpFlags.Ack);
        InternetChecksum.Write(ip, tcp, HeaderLayout.TcpMinLength, HeaderLayout.NextHeaderTcp, tcp + HeaderLayout.TcpChecksumOffset);
        frame.Length = frame.NetworkOffset + HeaderLayout.Ipv6Length + HeaderLayout.TcpMinLength;
        SwapMacs(frame.Data);
    }

    /// <summary>
    /// An ICMPv6 error (RFC 4443, section 3) in front of the packet that it quotes. Not longer than that packet, but where this would leave less
    /// than ports and sequence number of it; then by no more than its own headers. Not longer than 1280 bytes either.
    /// </summary>
    /// <param name="frame">The frame, with <see cref="Frame.RequiredHeadroom"/> before it.</param>
    /// <param name="type">The message's type.</param>
    /// <param name="code">Its code.</param>
    /// <param name="parameter">The four bytes behind the checksum, in host byte order.</param>
    /// <param name="source">The address that it is from, 16 bytes.</param>
    internal static void Error(ref Frame frame, byte type, byte code, uint parameter, ReadOnlySpan<byte> source)
    {
        var least = Math.Min(frame.TransportOffset - frame.NetworkOffset + LeastQuotedTcp, frame.PacketLength);
        var quoted = Math.Min(Math.Max(frame.PacketLength - ErrorHeaders, least), HeaderLayout.Ipv6MinMtu - ErrorHeaders);
        var client = frame.Ip + HeaderLayout.Ipv6SourceOffset;
        Buffer.MemoryCopy(frame.Data, frame.Data - ErrorHeaders, frame.NetworkOffset, frame.NetworkOffset);
        frame.Data -= ErrorHeaders;
        var ip = frame.Ip;
        WriteIpv6(ip, HeaderLayout.IcmpLength + quoted, HeaderLayout.NextHeaderIcmp, HopLimit);
        source.CopyTo(new Span<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength));
        Unsafe.CopyBlockUnaligned(ip + HeaderLayout.Ipv6DestinationOffset, client, HeaderLayout.AddressLength);
        var message = ip + HeaderLayout.Ipv6Length;
        message[0] = type;
        message[1] = code;
        Unsafe.WriteUnaligned(message + HeaderLayout.IcmpParameterOffset, BinaryPrimitives.ReverseEndianness(parameter));
        InternetChecksum.Write(ip, message, HeaderLayout.IcmpLength + quoted, HeaderLayout.NextHeaderIcmp, message + HeaderLayout.IcmpChecksumOffset);
        frame.Length = frame.NetworkOffset + ErrorHeaders + quoted;
        SwapMacs(frame.Data);
    }

    /// <summary>An echo reply with all that the request said (RFC 4443, section 4.2).</summary>
    internal static void Echo(ref Frame frame)
    {
        var ip = frame.Ip;
        var message = frame.Data + frame.TransportOffset;
        SwapAddresses(ip);
        ip[HeaderLayout.Ipv6HopLimitOffset] = HopLimit;
        message[0] = IcmpType.EchoReply;
        InternetChecksum.Write(ip, message, frame.Length - frame.TransportOffset, HeaderLayout.NextHeaderIcmp, message + HeaderLayout.IcmpChecksumOffset);
        SwapMacs(frame.Data);
    }

    /// <summary>
    /// The neighbour advertisement for a solicitation's target (RFC 4861, section 7.2.4). Who asked without an address of its own, to see whether the
    /// target is free, is answered as well, at all nodes: the target is taken, and a host that took it would get its connections.
    /// </summary>
    internal static void Advertisement(ref Frame frame, ReadOnlySpan<byte> ownMac)
    {
        const int messageLength = HeaderLayout.SolicitationLength + 2 + HeaderLayout.MacLength;
        const int packetLength = HeaderLayout.Ipv6Length + messageLength;
        var isProbe = NeighbourSolicitation.IsUnspecified(frame.Ip + HeaderLayout.Ipv6SourceOffset);
        Span<byte> target = stackalloc byte[HeaderLayout.AddressLength];
        new ReadOnlySpan<byte>(frame.Data + frame.CookieOffset, HeaderLayout.AddressLength).CopyTo(target);
        // It may be eight bytes longer than the solicitation; there is room in front.
        Buffer.MemoryCopy(frame.Data, frame.Data - 8, HeaderLayout.Ipv6Length + frame.NetworkOffset, HeaderLayout.Ipv6Length + frame.NetworkOffset);
        frame.Data -= 8;
        var ip = frame.Ip;
        var destination = new Span<byte>(ip + HeaderLayout.Ipv6DestinationOffset, HeaderLayout.AddressLength);
        if (isProbe)
            AllNodes.CopyTo(destination);
        else
            new ReadOnlySpan<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength).CopyTo(destination);
        target.CopyTo(new Span<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength));
        WriteIpv6(ip, messageLength, HeaderLayout.NextHeaderIcmp, HeaderLayout.NeighbourHopLimit);

        var message = ip + HeaderLayout.Ipv6Length;
        message[0] = IcmpType.NeighbourAdvertisement;
        message[1] = 0;
        // Solicited, unless nobody could be told so; override: there is no other holder of the address. Not from a router, for the address is a host's.
        Unsafe.WriteUnaligned(message + HeaderLayout.IcmpParameterOffset, BinaryPrimitives.ReverseEndianness(isProbe ? 0x2000_0000u : 0x6000_0000u));
        target.CopyTo(new Span<byte>(message + HeaderLayout.SolicitationTargetOffset, HeaderLayout.AddressLength));
        message[HeaderLayout.SolicitationLength] = HeaderLayout.OptionTargetLinkAddress;
        message[HeaderLayout.SolicitationLength + 1] = 1;
        ownMac.CopyTo(new Span<byte>(message + HeaderLayout.SolicitationLength + 2, HeaderLayout.MacLength));
        InternetChecksum.Write(ip, message, messageLength, HeaderLayout.NextHeaderIcmp, message + HeaderLayout.IcmpChecksumOffset);

        frame.Length = frame.NetworkOffset + packetLength;
        SwapMacs(frame.Data);
        ownMac.CopyTo(new Span<byte>(frame.Data + HeaderLayout.MacLength, HeaderLayout.MacLength));
        if (isProbe)
            AllNodesMac.CopyTo(new Span<byte>(frame.Data, HeaderLayout.MacLength));
    }

    private static void WriteIpv6(byte* ip, int payload, byte nextHeader, byte hopLimit)
    {
        Unsafe.WriteUnaligned(ip, BinaryPrimitives.ReverseEndianness(0x6000_0000u));
        Unsafe.WriteUnaligned(ip + HeaderLayout.Ipv6PayloadLengthOffset, BinaryPrimitives.ReverseEndianness((ushort)payload));
        ip[HeaderLayout.Ipv6NextHeaderOffset] = nextHeader;
        ip[HeaderLayout.Ipv6HopLimitOffset] = hopLimit;
    }

    private static void SwapAddresses(byte* ip)
    {
        var source = new Span<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength);
        var destination = new Span<byte>(ip + HeaderLayout.Ipv6DestinationOffset, HeaderLayout.AddressLength);
        Span<byte> kept = stackalloc byte[HeaderLayout.AddressLength];
        source.CopyTo(kept);
        destination.CopyTo(source);
        kept.CopyTo(destination);
    }

    private static void SwapMacs(byte* ethernet)
    {
        var destination = new Span<byte>(ethernet, HeaderLayout.MacLength);
        var source = new Span<byte>(ethernet + HeaderLayout.MacLength, HeaderLayout.MacLength);
        Span<byte> kept = stackalloc byte[HeaderLayout.MacLength];
        destination.CopyTo(kept);
        source.CopyTo(destination);
        kept.CopyTo(source);
    }
}
