namespace CookieXdp.Dataplane;

/// <summary>
/// Where things stand in the headers that the path reads: Ethernet (IEEE 802.3), IPv6 (RFC 8200, section 3), TCP (RFC 9293, section 3.1).
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

    internal const byte NextHeaderTcp = 6;

    internal const int TcpMinLength = 20;
    internal const int TcpSourcePortOffset = 0;
    internal const int TcpDestinationPortOffset = 2;
    internal const int TcpSequenceOffset = 4;
    internal const int TcpAcknowledgmentOffset = 8;
    internal const int TcpDataOffsetOffset = 12;
    internal const int TcpFlagsOffset = 13;
    internal const int TcpChecksumOffset = 16;
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
