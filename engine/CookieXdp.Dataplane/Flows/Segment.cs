using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane.Flows;

/// <summary>What a TCP header says of the connection's state (RFC 9293, section 3.1), in host byte order.</summary>
internal readonly unsafe struct Segment
{
    private readonly TcpFlags _flags;

    /// <summary>From headers that have been found sound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Segment(byte* ip, byte* tcp)
    {
        _flags = (TcpFlags)tcp[HeaderLayout.TcpFlagsOffset];
        Sequence = FrameParser.ReadUInt32(tcp + HeaderLayout.TcpSequenceOffset);
        Acknowledgment = FrameParser.ReadUInt32(tcp + HeaderLayout.TcpAcknowledgmentOffset);
        // Between the headers there may be others.
        Length = FrameParser.ReadUInt16(ip + HeaderLayout.Ipv6PayloadLengthOffset) - (uint)(tcp - ip - HeaderLayout.Ipv6Length) - (uint)(tcp[HeaderLayout.TcpDataOffsetOffset] >> 4) * 4
            + ((uint)(_flags & TcpFlags.Syn) >> 1) + (uint)(_flags & TcpFlags.Fin);
    }

    internal uint Sequence { get; }

    internal uint Acknowledgment { get; }

    /// <summary>Sequence numbers that it takes: its data, and one each for SYN and FIN.</summary>
    internal uint Length { get; }

    /// <summary>Whether a flag is set.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Has(TcpFlags flag) => (_flags & flag) != 0;

    /// <summary>Whether it opens a connection: SYN alone.</summary>
    internal bool IsOpening => (_flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst | TcpFlags.Fin)) == TcpFlags.Syn;

    /// <summary>Whether it can only be of a connection that is open already.</summary>
    internal bool IsOfOpenConnection => (_flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst)) == TcpFlags.Ack;
}
