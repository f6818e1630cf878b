using System.Runtime.CompilerServices;
using CookieXdp.Cookies;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane;

/// <summary>
/// What the packet path does with the rare frame: later fragments, ICMPv6, hop limits that end here, packets that do not fit the
/// other side; and whether it is answered by the engine itself. The path calls in here, and nothing here calls back.
/// </summary>
internal sealed unsafe class SlowPath : IDisposable
{
    private const byte CodeProhibited = 1; // of Unreachable (RFC 4443, section 3.1)

    private readonly FlowTable _flows;
    private readonly WorkerCounters _counters;
    private readonly FragmentTable _fragments = new();
    private readonly ReplyBudget _budget = new();

    internal SlowPath(FlowTable flows, WorkerCounters counters)
    {
        _flows = flows;
        _counters = counters;
    }

    /// <summary>Decides a frame of any kind but <see cref="FrameKind.Tcp"/> as far as that goes without its cookie.</summary>
    /// <returns>False where the cookie decides: <see cref="JudgeByCookie"/>.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool TryDecide(ref Frame frame, Side from, PathSnapshot snapshot, uint uptime)
    {
        switch (frame.Kind)
        {
            case FrameKind.LaterFragment:
                return TryFollowFirst(ref frame, from, snapshot, uptime) || !MayAskCookie(ref frame, from, DropReason.FragmentWithoutFirst);
            case FrameKind.IcmpError:
                frame.Drop = Translate(ref frame, from, snapshot);
                return true;
            case FrameKind.HopLimitEnds:
                if (FlowOf(ref frame, from) is null)
                    return !MayAskCookie(ref frame, from, DropReason.NoFlow);
                frame.Drop = Expire(ref frame, from, snapshot, uptime);
                return true;
            default:
                return !MayAskCookie(ref frame, from, frame.Kind == FrameKind.EchoRequest ? DropReason.NotTcp : DropReason.NeighbourDiscovery);
        }
    }

    /// <summary>Decides what <see cref="TryDecide"/> left open, now that the cookie is known.</summary>
    internal DropReason JudgeByCookie(ref Frame frame, PrefixRules rules, in OpenedCookie cookie, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        if (!cookie.IsGenuine)
            return DropReason.FalseCookie;
        if (frame.Kind == FrameKind.LaterFragment) // its first one may have come in this same batch
            return TryFollowFirst(ref frame, Side.Uplink, snapshot, uptime) ? frame.Drop : DropReason.FragmentWithoutFirst;
        if (rules.Services[cookie.Service] is not { } service)
            return DropReason.UnknownService;
        if (cookie.AgeAt(unixSeconds) >= service.StaleFor)
            return DropReason.Expired;
        return frame.Kind switch
        {
            FrameKind.HopLimitEnds => service.IsKnocking ? DropReason.HopLimit : Expire(ref frame, Side.Uplink, snapshot, uptime),
            FrameKind.EchoRequest => AnswerPing(ref frame, service, snapshot, uptime),
            _ => Advertise(ref frame, rules, snapshot, uptime),
        };
    }

    /// <summary>Answers a SYN whose cookie has expired, as its service wants it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal DropReason RefuseExpired(ref Frame frame, ServiceRules service, PathSnapshot snapshot, uint uptime)
    {
        // How long a fragmented SYN is in all is not known, nor whether its checksum is right.
        if (service.IsKnocking || service.WhenExpired == ExpiredAnswer.Drop || frame.FragmentOffset != 0)
            return DropReason.Expired;
        if (service.WhenExpired == ExpiredAnswer.Unreachable)
        {
            // From the address that was asked, which is one of the engine's own (RFC 4443, section 2.2(a)).
            var source = new ReadOnlySpan<byte>(frame.Ip + HeaderLayout.Ipv6DestinationOffset, HeaderLayout.AddressLength);
            return SendError(ref frame, ReplyKind.Unreachable, IcmpType.Unreachable, CodeProhibited, 0, source, Side.Uplink, DropReason.Expired, uptime);
        }
        if (!CanAnswer(ref frame))
            return DropReason.Expired;
        if (!TryTake(ReplyKind.Reset, ref frame, uptime))
            return DropReason.ReplyLimit;
        Reply.Reset(ref frame);
        return Send(ref frame, ReplyKind.Reset, Side.Uplink);
    }

    /// <summary>Sends a flow's segment on where that takes more than rewriting it: it may not fit, or others may have to follow it. Its next hop is resolved.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal DropReason SendOn(ref Frame frame, Flow* flow, PathSnapshot snapshot, uint uptime)
    {
        var to = frame.Out;
        if (frame.PacketLength > snapshot[to].Mtu)
            return TellTooBig(ref frame, to, snapshot, uptime);
        var near = to == Side.Inside ? flow->BackendKey : flow->ClientKey;
        var carried = frame.Length - frame.FragmentOffset - HeaderLayout.FragmentLength;
        if (frame.FragmentOffset != 0 && !_fragments.TryRemember(new FragmentKey(ref frame, Other(to)), (ushort)carried, near.NearHigh, near.NearLow, uptime))
            return DropReason.BadFragment;
        if (to == Side.Inside)
            Rewriter.ToBackend(ref frame, flow, PacketPath.BackendOf(flow, snapshot)!.NextHop);
        else
            Rewriter.ToClient(ref frame, flow, snapshot.Gateway);
        return DropReason.None;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _fragments.Dispose();
        _budget.Dispose();
    }

    /// <summary>Only what comes from the uplink has a cookie to ask; anything else ends here.</summary>
    private static bool MayAskCookie(ref Frame frame, Side from, DropReason otherwise)
    {
        if (from == Side.Uplink)
            return true;
        frame.Drop = otherwise;
        return false;
    }

    private Flow* FlowOf(ref Frame frame, Side from)
    {
        var tcp = frame.Data + frame.TransportOffset;
        return from == Side.Uplink ? _flows.FindByClient(FlowKey.FromClient(frame.Ip, tcp)) : _flows.FindByBackend(FlowKey.FromBackend(frame.Ip, tcp));
    }

    /// <summary>Sends a later fragment after its first one; false where that has not passed.</summary>
    private bool TryFollowFirst(ref Frame frame, Side from, PathSnapshot snapshot, uint uptime)
    {
        var packet = _fragments.Find(new FragmentKey(ref frame, from), uptime);
        if (packet is null)
            return false;
        frame.Drop = FollowFirst(ref frame, packet, from, snapshot, uptime);
        return true;
    }

    private DropReason FollowFirst(ref Frame frame, FragmentedPacket* packet, Side from, PathSnapshot snapshot, uint uptime)
    {
        var position = FrameParser.ReadUInt16(frame.Data + frame.FragmentOffset + HeaderLayout.FragmentPositionOffset) & ~7;
        if (position < packet->FirstEnd || packet->Followers >= FragmentTable.MostFollowers)
            return DropReason.BadFragment;
        if (frame.PacketLength > snapshot[Other(from)].Mtu)
            return TellTooBig(ref frame, Other(from), snapshot, uptime);
        var nextHop = from == Side.Inside ? snapshot.Gateway : snapshot.BackendAt(packet->NearHigh, packet->NearLow)?.NextHop;
        if (nextHop is not { IsResolved: true })
            return DropReason.NeighbourUnresolved;
        packet->Followers++;
        var address = frame.Ip + (from == Side.Uplink ? HeaderLayout.Ipv6DestinationOffset : HeaderLayout.Ipv6SourceOffset);
        Unsafe.WriteUnaligned(address, packet->NearHigh);
        Unsafe.WriteUnaligned(address + 8, packet->NearLow);
        frame.Ip[HeaderLayout.Ipv6HopLimitOffset]--;
        Framing.Write(ref frame, nextHop);
        return DropReason.None;
    }

    private DropReason Translate(ref Frame frame, Side from, PathSnapshot snapshot)
    {
        var drop = ErrorTranslator.Match(ref frame, from, _flows, out var flow);
        if (drop != DropReason.None)
            return drop;
        if (from == Side.Uplink && snapshot.IsOurs(frame.Ip + HeaderLayout.Ipv6SourceOffset))
            return DropReason.BadSource;
        if (frame.Ip[HeaderLayout.Ipv6HopLimitOffset] <= 1)
            return DropReason.HopLimit;
        if (frame.PacketLength > snapshot[Other(from)].Mtu)
            return DropReason.PacketTooBig;
        var nextHop = from == Side.Uplink ? PacketPath.BackendOf(flow, snapshot)?.NextHop : snapshot.Gateway;
        if (nextHop is not { IsResolved: true })
            return DropReason.NeighbourUnresolved;
        if (from == Side.Uplink)
            ErrorTranslator.ToBackend(ref frame, flow);
        else
            ErrorTranslator.ToClient(ref frame, flow);
        Framing.Write(ref frame, nextHop);
        return DropReason.None;
    }

    private DropReason TellTooBig(ref Frame frame, Side to, PathSnapshot snapshot, uint uptime)
    {
        var from = Other(to);
        return SendError(ref frame, ReplyKind.PacketTooBig, IcmpType.PacketTooBig, 0, (uint)snapshot[to].Mtu, snapshot[from].Address, from, DropReason.PacketTooBig, uptime);
    }

    private DropReason Expire(ref Frame frame, Side from, PathSnapshot snapshot, uint uptime) =>
        from == Side.Uplink && snapshot.IsOurs(frame.Ip + HeaderLayout.Ipv6SourceOffset)
            ? DropReason.BadSource
            : SendError(ref frame, ReplyKind.TimeExceeded, IcmpType.TimeExceeded, 0, 0, snapshot[from].Address, from, DropReason.HopLimit, uptime);

    private DropReason AnswerPing(ref Frame frame, ServiceRules service, PathSnapshot snapshot, uint uptime)
    {
        if (!snapshot.AnswersPings || service.IsKnocking || frame.Data[frame.TransportOffset + 1] != 0 || !CanAnswer(ref frame))
            return DropReason.PingRefused;
        if (snapshot.IsOurs(frame.Ip + HeaderLayout.Ipv6SourceOffset))
            return DropReason.BadSource;
        if (!InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderIcmp))
            return DropReason.BadChecksum;
        if (!TryTake(ReplyKind.EchoReply, ref frame, uptime))
            return DropReason.ReplyLimit;
        Reply.Echo(ref frame);
        return Send(ref frame, ReplyKind.EchoReply, Side.Uplink);
    }

    private DropReason Advertise(ref Frame frame, PrefixRules rules, PathSnapshot snapshot, uint uptime)
    {
        if (!rules.IsOnLink || !CanAnswer(ref frame))
            return DropReason.NeighbourDiscovery;
        if (!InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderIcmp))
            return DropReason.BadChecksum;
        if (!TryTake(ReplyKind.NeighbourAdvertisement, ref frame, uptime))
            return DropReason.ReplyLimit;
        Reply.Advertisement(ref frame, snapshot.Uplink.Mac);
        return Send(ref frame, ReplyKind.NeighbourAdvertisement, Side.Uplink);
    }

    /// <summary>Makes a frame into an ICMPv6 error about itself, or says why it is dropped after all.</summary>
    private DropReason SendError(
        ref Frame frame, ReplyKind kind, byte type, byte code, uint parameter, ReadOnlySpan<byte> source, Side from, DropReason otherwise, uint uptime)
    {
        if (source.IsEmpty || !CanAnswer(ref frame))
            return otherwise;
        if (!TryTake(kind, ref frame, uptime))
            return DropReason.ReplyLimit;
        Reply.Error(ref frame, type, code, parameter, source);
        return Send(ref frame, kind, from);
    }

    private DropReason Send(ref Frame frame, ReplyKind kind, Side side)
    {
        _counters.CountReply(kind);
        frame.Out = side;
        return DropReason.None;
    }

    /// <summary>Whether there is one neighbour to send an answer to; a group's hardware address is nobody's.</summary>
    private static bool CanAnswer(ref Frame frame) => (frame.Data[HeaderLayout.MacLength] & 1) == 0;

    private bool TryTake(ReplyKind kind, ref Frame frame, uint uptime) =>
        _budget.TryTake(kind, Unsafe.ReadUnaligned<ulong>(frame.Ip + HeaderLayout.Ipv6SourceOffset), uptime);

    private static Side Other(Side side) => (Side)((int)side ^ 1);
}
