using System.Runtime.CompilerServices;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane;

/// <summary>
/// ICMPv6 errors (RFC 4443, section 3) about the packets of a flow, in both directions: what the packet they quote became on its way is undone, so
/// that its sender knows it again. Only what matches a flow passes; no error changes a flow's state (RFC 5927, section 4).
/// </summary>
internal static unsafe class ErrorTranslator
{
    /// <summary>The first bytes of a TCP header, with ports and sequence number: every router quotes them.</summary>
    private const int LeastQuotedTcp = 8;

    /// <summary>How far ahead of what was acknowledged a segment may be that an error is about. The window is not known; few hosts open a wider one.</summary>
    private const uint WidestWindow = 1u << 24;

    /// <summary>How far behind: segments that were acknowledged while the error was on its way.</summary>
    private const uint LateErrors = 65_535;

    /// <summary>Finds the flow that an error is about, and makes sure that its receiver did send what is quoted.</summary>
    /// <param name="frame">The frame, parsed.</param>
    /// <param name="from">The side that it came in on.</param>
    /// <param name="flows">The flows.</param>
    /// <param name="flow">The flow.</param>
    /// <returns>None, or why the error must not go on.</returns>
    internal static DropReason Match(ref Frame frame, Side from, FlowTable flows, out Flow* flow)
    {
        flow = null;
        var message = frame.Data + frame.TransportOffset;
        var quoted = frame.Length - frame.TransportOffset - HeaderLayout.IcmpLength;
        var ip = message + HeaderLayout.IcmpLength;
        if (quoted < HeaderLayout.Ipv6Length || ip[0] >> 4 != 6)
            return DropReason.BadIcmp;
        // RFC 8201, section 4: every link carries 1280 bytes; who says less means harm.
        if (message[0] == IcmpType.PacketTooBig && FrameParser.ReadUInt32(message + HeaderLayout.IcmpParameterOffset) < HeaderLayout.Ipv6MinMtu)
            return DropReason.BadIcmp;
        if (!TryFindTcp(ip, quoted, out var transport))
            return DropReason.ErrorWithoutFlow;
        // What is quoted was sent by whoever the error is sent to.
        if (!SameAddress(frame.Ip + HeaderLayout.Ipv6DestinationOffset, ip + HeaderLayout.Ipv6SourceOffset))
            return DropReason.ErrorWithoutFlow;
        var tcp = ip + transport;
        // An error from the uplink quotes what left there, from a cookie to a client; one from the inside, what a client sent to a backend.
        flow = from == Side.Uplink ? flows.FindByClient(FlowKey.FromBackend(ip, tcp)) : flows.FindByBackend(FlowKey.FromClient(ip, tcp));
        if (flow is null || !MayHaveSent(flow, from, FrameParser.ReadUInt32(tcp + HeaderLayout.TcpSequenceOffset)))
            return DropReason.ErrorWithoutFlow;
        return InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderIcmp) ? DropReason.None : DropReason.BadChecksum;
    }

    /// <summary>Rewrites an error that comes from the uplink for the backend that sent what it quotes.</summary>
    internal static void ToBackend(ref Frame frame, Flow* flow)
    {
        WriteAddress(frame.Ip + HeaderLayout.Ipv6DestinationOffset, flow->BackendKey);
        Requote(ref frame, flow->BackendKey, HeaderLayout.Ipv6SourceOffset, HeaderLayout.TcpSourcePortOffset, HeaderLayout.TcpDestinationPortOffset);
    }

    /// <summary>Rewrites an error from the inside for the client that sent what it quotes. A router's own address stays; a backend's becomes the cookie's.</summary>
    internal static void ToClient(ref Frame frame, Flow* flow)
    {
        var source = frame.Ip + HeaderLayout.Ipv6SourceOffset;
        if (Unsafe.ReadUnaligned<ulong>(source) == flow->BackendHigh && Unsafe.ReadUnaligned<ulong>(source + 8) == flow->BackendLow)
            WriteAddress(source, flow->ClientKey);
        Requote(ref frame, flow->ClientKey, HeaderLayout.Ipv6DestinationOffset, HeaderLayout.TcpDestinationPortOffset, HeaderLayout.TcpSourcePortOffset);
    }

    /// <summary>Writes a flow's other key into the quoted packet, its TCP checksum included where it is quoted, and the message's own checksum.</summary>
    private static void Requote(ref Frame frame, in FlowKey key, int nearAddress, int nearPort, int clientPort)
    {
        frame.Ip[HeaderLayout.Ipv6HopLimitOffset]--;
        var message = frame.Data + frame.TransportOffset;
        var length = frame.Length - frame.TransportOffset;
        var ip = message + HeaderLayout.IcmpLength;
        TryFindTcp(ip, length - HeaderLayout.IcmpLength, out var transport);
        var tcp = ip + transport;
        var before = InternetChecksum.Fold(InternetChecksum.SumAddress(ip + nearAddress) + SumPorts(tcp));
        WriteAddress(ip + nearAddress, key);
        Unsafe.WriteUnaligned(tcp + nearPort, key.NearPort);
        Unsafe.WriteUnaligned(tcp + clientPort, key.ClientPort);
        var after = InternetChecksum.Fold(InternetChecksum.SumAddress(ip + nearAddress) + SumPorts(tcp));
        if (message + length >= tcp + HeaderLayout.TcpChecksumOffset + sizeof(ushort))
            InternetChecksum.Apply(tcp + HeaderLayout.TcpChecksumOffset, InternetChecksum.Delta(before, after));
        InternetChecksum.Write(frame.Ip, message, length, HeaderLayout.NextHeaderIcmp, message + HeaderLayout.IcmpChecksumOffset);
    }

    private static bool TryFindTcp(byte* ip, int quoted, out int transport)
    {
        var drop = ExtensionHeaders.Walk(ip, quoted, out var found);
        transport = found.Transport;
        return drop == DropReason.None && !found.IsLaterFragment && found.Protocol == HeaderLayout.NextHeaderTcp && quoted >= transport + LeastQuotedTcp;
    }

    /// <summary>
    /// Whether a sequence number can be one of a segment that was on its way lately, as far as the table knows: towards the backend from
    /// what it has acknowledged, towards the client from the backend's first on.
    /// </summary>
    private static bool MayHaveSent(Flow* flow, Side from, uint sequence)
    {
        if ((flow->Backend.Marks & FlowMarks.SequenceKnown) == 0)
            return from == Side.Inside; // the client's SYN alone has passed, or what a lost flow is rebuilt from
        if (from == Side.Inside)
            return sequence - (flow->Backend.Acknowledged - LateErrors) <= LateErrors + WidestWindow;
        return flow->State != FlowState.HalfOpen || sequence - flow->Backend.InitialSequence <= LateErrors;
    }

    private static bool SameAddress(byte* left, byte* right) =>
        Unsafe.ReadUnaligned<ulong>(left) == Unsafe.ReadUnaligned<ulong>(right) && Unsafe.ReadUnaligned<ulong>(left + 8) == Unsafe.ReadUnaligned<ulong>(right + 8);

    private static void WriteAddress(byte* address, in FlowKey key)
    {
        Unsafe.WriteUnaligned(address, key.NearHigh);
        Unsafe.WriteUnaligned(address + 8, key.NearLow);
    }

    private static uint SumPorts(byte* tcp) =>
        (uint)Unsafe.ReadUnaligned<ushort>(tcp) + Unsafe.ReadUnaligned<ushort>(tcp + HeaderLayout.TcpDestinationPortOffset);
}
