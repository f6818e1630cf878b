using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// Finds the headers of a frame and refuses what is not sound. What nearly every frame is, a TCP segment right behind IPv6
/// right behind Ethernet, takes a straight line through here; tags, extension headers, ICMPv6 and everything wrong are
/// <see cref="HeaderChain"/>'s. Reads nothing unchecked.
/// </summary>
internal static unsafe class FrameParser
{
    private const int PlainTransport = HeaderLayout.EthernetLength + HeaderLayout.Ipv6Length;

    /// <summary>Sets the frame's offsets and kind, and cuts off what Ethernet has padded.</summary>
    /// <param name="frame">The frame as received.</param>
    /// <param name="ownMac">The receiving interface's hardware address, as <see cref="SideRules.OwnMac"/>.</param>
    /// <returns>None, or why the frame must not go on.</returns>
    internal static DropReason Parse(ref Frame frame, ulong ownMac)
    {
        var data = frame.Data;
        var length = frame.Length;
        if (length < PlainTransport + HeaderLayout.TcpMinLength
            || !IsMac(data, ownMac)
            || ReadUInt16(data + HeaderLayout.EtherTypeOffset) != HeaderLayout.EtherTypeIpv6)
            return HeaderChain.Parse(ref frame, ownMac);
        var ip = data + HeaderLayout.EthernetLength;
        int payload = ReadUInt16(ip + HeaderLayout.Ipv6PayloadLengthOffset);
        if (ip[0] >> 4 != 6
            || ip[HeaderLayout.Ipv6NextHeaderOffset] != HeaderLayout.NextHeaderTcp
            || ip[HeaderLayout.Ipv6HopLimitOffset] <= 1
            || length < PlainTransport + payload
            || (uint)(ip[HeaderLayout.Ipv6SourceOffset] - 1) >= 0xFD // what is left of IsUnicast, fe00::/8, is rare
            || !IsSoundTcp(data + PlainTransport, payload))
            return HeaderChain.Parse(ref frame, ownMac);
        frame.Length = PlainTransport + payload;
        frame.Kind = FrameKind.Tcp;
        frame.NetworkOffset = HeaderLayout.EthernetLength;
        frame.TransportOffset = PlainTransport;
        frame.FragmentOffset = 0;
        frame.CookieOffset = HeaderLayout.EthernetLength + HeaderLayout.Ipv6DestinationOffset;
        return DropReason.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ushort ReadUInt16(byte* at) => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ushort>(at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint ReadUInt32(byte* at) => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<uint>(at));

    /// <summary>Whether a hardware address is a certain one, given as a number with zeros behind it; reads two bytes more, which every Ethernet header has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsMac(byte* at, ulong mac)
    {
        var difference = Unsafe.ReadUnaligned<ulong>(at) ^ mac;
        return (BitConverter.IsLittleEndian ? difference << 16 : difference >> 16) == 0;
    }

    /// <summary>Whether a TCP header is whole and its flags can be.</summary>
    /// <param name="tcp">The header; at least <see cref="HeaderLayout.TcpMinLength"/> bytes may be read where <paramref name="available"/> says so.</param>
    /// <param name="available">Bytes of the segment that are here.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsSoundTcp(byte* tcp, int available)
    {
        if (available < HeaderLayout.TcpMinLength)
            return false;
        var headerLength = (tcp[HeaderLayout.TcpDataOffsetOffset] >> 4) * 4;
        return headerLength >= HeaderLayout.TcpMinLength && headerLength <= available && AreSound((TcpFlags)tcp[HeaderLayout.TcpFlagsOffset]);
    }

    /// <summary>
    /// Neither multicast (ff00::/8), nor link-local (fe80::/10), nor of ::/8 (unspecified, loopback, IPv4-mapped): nobody on the internet has such
    /// an address (RFC 4291, section 2.4).
    /// </summary>
    internal static bool IsUnicast(byte* address) => address[0] != 0xFF && address[0] != 0 && !(address[0] == 0xFE && (address[1] & 0xC0) == 0x80);

    /// <summary>SYN comes without FIN and RST, and some flag of SYN, RST, ACK and FIN always comes.</summary>
    private static bool AreSound(TcpFlags flags)
    {
        flags &= TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst | TcpFlags.Ack;
        return flags == TcpFlags.Ack || (flags != TcpFlags.None && ((flags & TcpFlags.Syn) == 0 || (flags & (TcpFlags.Fin | TcpFlags.Rst)) == 0));
    }
}
