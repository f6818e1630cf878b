using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// The parser's long way: VLAN tags, extension headers, fragments, ICMPv6, and the name of whatever is wrong with a frame. A frame that
/// the straight line of <see cref="FrameParser"/> would take comes out the same here.
/// </summary>
internal static unsafe class HeaderChain
{
    /// <summary>Sets the frame's offsets and kind, and cuts off what Ethernet has padded.</summary>
    /// <returns>None, or why the frame must not go on.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static DropReason Parse(ref Frame frame, ulong ownMac)
    {
        if (FindIpv6(ref frame) is not DropReason.None and var drop)
            return drop;
        var ip = frame.Ip;
        // Only who solicits a neighbour sends to a group: it does not know the neighbour's hardware address yet.
        var toGroup = ip[HeaderLayout.Ipv6DestinationOffset] == 0xFF;
        if (toGroup ? (frame.Data[0] & 1) == 0 : !FrameParser.IsMac(frame.Data, ownMac))
            return DropReason.ForeignMac;

        frame.CookieOffset = (ushort)(frame.NetworkOffset + HeaderLayout.Ipv6DestinationOffset);
        drop = ExtensionHeaders.Walk(ip, frame.PacketLength, out var found);
        if (drop != DropReason.None)
            return drop;
        frame.TransportOffset = (ushort)(frame.NetworkOffset + found.Transport);
        frame.FragmentOffset = (ushort)(found.Fragment == 0 ? 0 : frame.NetworkOffset + found.Fragment);
        if (found.Protocol == HeaderLayout.NextHeaderIcmp && !found.IsLaterFragment)
            return IcmpMessages.Classify(ref frame, toGroup);
        return toGroup ? DropReason.ForeignMac : ParseTcp(ref frame, found);
    }

    private static DropReason FindIpv6(ref Frame frame)
    {
        var data = frame.Data;
        var length = frame.Length;
        if (length < HeaderLayout.EthernetLength)
            return DropReason.Truncated;
        var network = HeaderLayout.EthernetLength;
        var etherType = FrameParser.ReadUInt16(data + HeaderLayout.EtherTypeOffset);
        for (var tag = 0; tag < HeaderLayout.MaxVlanTags && etherType is HeaderLayout.EtherTypeVlan or HeaderLayout.EtherTypeServiceVlan; tag++)
        {
            if (length < network + HeaderLayout.VlanTagLength)
                return DropReason.Truncated;
            etherType = FrameParser.ReadUInt16(data + network + 2);
            network += HeaderLayout.VlanTagLength;
        }
        if (etherType != HeaderLayout.EtherTypeIpv6)
            return DropReason.NotIpv6;
        if (length < network + HeaderLayout.Ipv6Length)
            return DropReason.Truncated;
        if (data[network] >> 4 != 6)
            return DropReason.NotIpv6;
        // Ethernet pads short frames, so more bytes than the header says may follow; fewer may not.
        var end = network + HeaderLayout.Ipv6Length + FrameParser.ReadUInt16(data + network + HeaderLayout.Ipv6PayloadLengthOffset);
        if (length < end)
            return DropReason.Truncated;
        frame.Length = end;
        frame.NetworkOffset = (ushort)network;
        return DropReason.None;
    }

    private static DropReason ParseTcp(ref Frame frame, in FoundHeaders found)
    {
        if (!FrameParser.IsUnicast(frame.Ip + HeaderLayout.Ipv6SourceOffset))
            return DropReason.BadSource;
        var hopLimitEnds = frame.Ip[HeaderLayout.Ipv6HopLimitOffset] <= 1;
        if (found.IsLaterFragment)
        {
            frame.Kind = FrameKind.LaterFragment;
            return hopLimitEnds ? DropReason.HopLimit : DropReason.None;
        }
        var available = frame.Length - frame.TransportOffset;
        if (!FrameParser.IsSoundTcp(frame.Data + frame.TransportOffset, available))
        {
            // RFC 7112: the first fragment holds all headers, TCP's with its options included.
            if (found.Fragment != 0)
                return DropReason.BadFragment;
            return available < HeaderLayout.TcpMinLength ? DropReason.Truncated : DropReason.BadTcpHeader;
        }
        frame.Kind = hopLimitEnds ? FrameKind.HopLimitEnds : FrameKind.Tcp;
        return DropReason.None;
    }
}
