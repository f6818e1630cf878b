namespace CookieXdp.Dataplane;

/// <summary>
/// Where things stand in the headers that the path reads: Ethernet (IEEE 802.3), IPv6 and its extension headers (RFC 8200, sections 3 and 4), TCP
/// (RFC 9293, section 3.1), ICMPv6 (RFC 4443, section 2.1), neighbour discovery (RFC 4861, section 4).
/// Offsets and lengths in bytes, numbers in network byte order on the wire.
/// </summary>
internal static class HeaderLayout
{
    internal const int MacLength = 6;
    internal const int EthernetLength = 14;
    internal const int EtherTypeOffset = 12;
    internal const ushort EtherTypeIpv6 = 0x86DD;
    internal const ushort EtherTypeVlan = 0x8100; // IEEE 802.1Q
    internal const ushort EtherTypeServiceVlan = 0x88A8; // IEEE 802.1ad
    internal const int VlanTagLength = 4;
    internal const int MaxVlanTags = 2;

    internal const int Ipv6Length = 40;
    internal const int Ipv6PayloadLengthOffset = 4;
    internal const int Ipv6NextHeaderOffset = 6;
    internal const int Ipv6HopLimitOffset = 7;
    internal const int Ipv6SourceOffset = 8;
    internal const int Ipv6DestinationOffset = 24;
    internal const int AddressLength = 16;

    /// <summary>Every link carries packets of this many bytes (RFC 8200, section 5).</summary>
    internal const int Ipv6MinMtu = 1280;

    internal const byte NextHeaderHopByHop = 0;
    internal const byte NextHeaderTcp = 6;
    internal const byte NextHeaderRouting = 43;
    internal const byte NextHeaderFragment = 44;
    internal const byte NextHeaderAuthentication = 51; // RFC 4302, section 2
    internal const byte NextHeaderIcmp = 58;
    internal const byte NextHeaderDestination = 60;

    internal const int RoutingTypeOffset = 2;
    internal const int RoutingSegmentsLeftOffset = 3;

    internal const int FragmentLength = 8;
    internal const int FragmentPositionOffset = 2; // 13 bits of position, 2 reserved, M
    internal const int FragmentIdentificationOffset = 4;

    internal const int TcpMinLength = 20;
    internal const int TcpSourcePortOffset = 0;
    internal const int TcpDestinationPortOffset = 2;
    internal const int TcpSequenceOffset = 4;
    internal const int TcpAcknowledgmentOffset = 8;
    internal const int TcpDataOffsetOffset = 12;
    internal const int TcpFlagsOffset = 13;
    internal const int TcpChecksumOffset = 16;

    internal const int IcmpLength = 8; // type, code, checksum, and four bytes that each type has its own use for
    internal const int IcmpChecksumOffset = 2;
    internal const int IcmpParameterOffset = 4;

    internal const int SolicitationLength = 24;
    internal const int SolicitationTargetOffset = 8;
    internal const byte NeighbourHopLimit = 255;
    internal const byte OptionSourceLinkAddress = 1;
    internal const byte OptionTargetLinkAddress = 2;
}

/// <summary>The types of ICMPv6 messages that the path tells apart (RFC 4443, sections 3 and 4; RFC 4861, section 4).</summary>
internal static class IcmpType
{
    internal const byte Unreachable = 1;
    internal const byte PacketTooBig = 2;
    internal const byte TimeExceeded = 3;
    internal const byte ParameterProblem = 4;
    internal const byte EchoRequest = 128;
    internal const byte EchoReply = 129;
    internal const byte NeighbourSolicitation = 135;
    internal const byte NeighbourAdvertisement = 136;
}

/// <summary>The flags of a TCP header (RFC 9293, section 3.1).</summary>
[Flags]
public enum TcpFlags : byte
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary>No more data from the sender.</summary>
    Fin = 0x01,

    /// <summary>Synchronise sequence numbers.</summary>
    Syn = 0x02,

    /// <summary>Reset the connection.</summary>
    Rst = 0x04,

    /// <summary>The acknowledgment field counts.</summary>
    Ack = 0x10,
}
