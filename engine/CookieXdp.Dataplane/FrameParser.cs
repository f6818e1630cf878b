using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>Finds the headers of a frame and refuses whatever is not a sound TCP segment over plain IPv6. Reads nothing unchecked.</summary>
internal static unsafe class FrameParser
{
    /// <summary>Sets the frame's offsets.</summary>
    /// <returns>None, or why the frame must not go on.</returns>
    internal static DropReason Parse(ref Frame frame)
    {
        var data = frame.Data;
        var length = frame.Length;
        if (length < HeaderLayout.EthernetLength)
            return DropReason.Truncated;
        var network = HeaderLayout.EthernetLength;
        var etherType = ReadUInt16(data + HeaderLayout.EtherTypeOffset);
        for (var tag = 0; tag < HeaderLayout.MaxVlanTags && etherType is HeaderLayout.EtherTypeVlan or HeaderLayout.EtherTypeServiceVlan; tag++)
        {
            if (length < network + HeaderLayout.VlanTagLength)
                return DropReason.Truncated;
            etherType = ReadUInt16(data + network + 2);
            network += HeaderLayout.VlanTagLength;
        }
        if (etherType != HeaderLayout.EtherTypeIpv6)
            return DropReason.NotIpv6;
        if (length < network + HeaderLayout.Ipv6Length)
            return DropReason.Truncated;

        var ip = data + network;
        if (ip[0] >> 4 != 6)
            return DropReason.NotIpv6;
        // Ethernet pads short frames, so more bytes than the header says may follow; fewer may not.
        int payload = ReadUInt16(ip + HeaderLayout.Ipv6PayloadLengthOffset);
        if (length < network + HeaderLayout.Ipv6Length + payload)
            return DropReason.Truncated;
        if (ip[HeaderLayout.Ipv6NextHeaderOffset] != HeaderLayout.NextHeaderTcp)
            return IsExtensionHeader(ip[HeaderLayout.Ipv6NextHeaderOffset]) ? DropReason.ExtensionHeader : DropReason.NotTcp;
        if (ip[HeaderLayout.Ipv6HopLimitOffset] <= 1)
            return DropReason.HopLimit;
        if (!IsUnicast(ip + HeaderLayout.Ipv6SourceOffset))
            return DropReason.BadSource;

        if (payload < HeaderLayout.TcpMinLength)
            return DropReason.Truncated;
        var tcp = ip + HeaderLayout.Ipv6Length;
        var headerLength = (tcp[HeaderLayout.TcpDataOffsetOffset] >> 4) * 4;
        if (headerLength < HeaderLayout.TcpMinLength || headerLength > payload || !AreSound((TcpFlags)tcp[HeaderLayout.TcpFlagsOffset]))
            return DropReason.BadTcpHeader;
        frame.NetworkOffset = (ushort)network;
        frame.TransportOffset = (ushort)(network + HeaderLayout.Ipv6Length);
        return DropReason.None;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ushort ReadUInt16(byte* at) => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<ushort>(at));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint ReadUInt32(byte* at) => BinaryPrimitives.ReverseEndianness(Unsafe.ReadUnaligned<uint>(at));

    /// <summary>SYN comes without FIN and RST, and some flag of SYN, RST, ACK and FIN always comes.</summary>
    private static bool AreSound(TcpFlags flags)
    {
        flags &= TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst | TcpFlags.Ack;
        return flags != TcpFlags.None && ((flags & TcpFlags.Syn) == 0 || (flags & (TcpFlags.Fin | TcpFlags.Rst)) == 0);
    }

    /// <summary>The next-header values that RFC 8200, section 4 and RFC 7045 know as extension headers.</summary>
    private static bool IsExtensionHeader(byte nextHeader) => nextHeader is 0 or 43 or 44 or 50 or 51 or 59 or 60 or 135 or 139 or 140 or 253 or 254;

    /// <summary>
    /// Neither multicast (ff00::/8), nor link-local (fe80::/10), nor of ::/8 (unspecified, loopback, IPv4-mapped): nobody on the internet has such
    /// an address (RFC 4291, section 2.4).
    /// </summary>
    private static bool IsUnicast(byte* address) => address[0] != 0xFF && address[0] != 0 && !(address[0] == 0xFE && (address[1] & 0xC0) == 0x80);
}
