using System.Runtime.CompilerServices;
using CookieXdp.Cookies;

namespace CookieXdp.Dataplane;

/// <summary>
/// The packet path: parse, classify (a known flow, or the cookie and policy), rewrite. Forward only, a batch at a time, nothing
/// allocated. It does no I/O: its caller received the frames and transmits those that are left.
/// </summary>
public sealed unsafe class PacketPath
{
    private readonly FlowTable _flows;
    private readonly WorkerCounters _counters;

    /// <summary>A path of one worker.</summary>
    /// <param name="flows">The flows that all workers share.</param>
    /// <param name="counters">This worker's own.</param>
    public PacketPath(FlowTable flows, WorkerCounters counters)
    {
        _flows = flows;
        _counters = counters;
    }

    /// <summary>
    /// Judges and rewrites a batch. Afterwards each frame either is to be transmitted on the other side
    /// (<see cref="Frame.Drop"/> None) or has been counted as dropped.
    /// </summary>
    /// <param name="frames">The frames, all received on one side.</param>
    /// <param name="from">The side.</param>
    /// <param name="snapshot">What to judge by.</param>
    /// <param name="unixSeconds">The time now, for cookies.</param>
    /// <param name="uptime">Seconds of a clock that never goes back, for flows.</param>
    public void Process(Span<Frame> frames, Side from, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _flows.Enter();
        foreach (ref var frame in frames)
        {
            _counters.CountReceived(from, frame.Length);
            var drop = FrameParser.Parse(ref frame);
            if (drop == DropReason.None)
            {
                drop = from == Side.Uplink
                    ? FromClient(ref frame, snapshot, unixSeconds, uptime)
                    : FromBackend(ref frame, snapshot, uptime);
            }
            frame.Drop = drop;
            if (drop != DropReason.None)
                _counters.CountDropped(drop);
        }
        _flows.Exit();
    }

    private DropReason FromClient(ref Frame frame, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var key = FlowKey.FromClient(ip, tcp);
        var flags = (TcpFlags)tcp[HeaderLayout.TcpFlagsOffset];
        var flow = _flows.FindByClient(key);
        if (flow is null || (flow->State == FlowState.Closing && IsOpening(flags)))
        {
            // A closed connection's port used again is as new as any other: judged first, and only then does the old flow go.
            if (Admit(ip, key, flags, snapshot, unixSeconds, uptime, ref flow) is not DropReason.None and var drop)
                return drop;
        }
        else
        {
            _flows.Touch(flow, TcpState.AfterClient(flow, flags, FrameParser.ReadUInt32(tcp + HeaderLayout.TcpAcknowledgmentOffset)), uptime);
        }
        var backend = snapshot.Backends[flow->Backend];
        if (!backend.NextHop.IsResolved)
            return DropReason.NeighbourUnresolved;
        Rewriter.ToBackend(ref frame, flow, backend.NextHop);
        return DropReason.None;
    }

    private DropReason FromBackend(ref Frame frame, PathSnapshot snapshot, uint uptime)
    {
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var flow = _flows.FindByReturn(FlowKey.FromBackend(ip, tcp));
        if (flow is null)
            return DropReason.NoFlow;
        var flags = (TcpFlags)tcp[HeaderLayout.TcpFlagsOffset];
        _flows.Touch(flow, TcpState.AfterBackend(flow, flags, FrameParser.ReadUInt32(tcp + HeaderLayout.TcpSequenceOffset)), uptime);
        if (!snapshot.Gateway.IsResolved)
            return DropReason.NeighbourUnresolved;
        Rewriter.ToClient(ref frame, flow, snapshot.Gateway);
        return DropReason.None;
    }

    /// <summary>Opens the cookie of a frame without a flow (or with one that is closing), asks policy, and makes the flow.</summary>
    private DropReason Admit(byte* ip, in FlowKey key, TcpFlags flags, PathSnapshot snapshot, long unixSeconds, uint uptime, ref Flow* flow)
    {
        var destination = new ReadOnlySpan<byte>(ip + HeaderLayout.Ipv6DestinationOffset, HeaderLayout.AddressLength);
        var rules = RulesOf(snapshot, destination);
        if (rules?.Keys is null)
            return rules is null ? DropReason.FalseCookie : DropReason.NoKeys;
        var genuine = rules.Keys.TryOpen(destination, unixSeconds, out var cookie);
        if (!IsOpening(flags))
            return genuine ? DropReason.NoFlow : DropReason.FalseCookie;
        if (!genuine)
            return Refuse(DropReason.FalseCookie);
        if (rules.Services[cookie.Service] is not { } service)
            return Refuse(DropReason.UnknownService);
        if (!service.Has(key.NearPort))
            return Refuse(DropReason.WrongPort);

        var client = new ReadOnlySpan<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength);
        var against = snapshot.Policy.Judge(cookie, client, service, unixSeconds);
        if (against != DropReason.None)
        {
            Refuse(against);
            if (!snapshot.Policy.Observe)
                return against;
        }

        var backend = snapshot.Backends[service.Backend];
        if (!backend.NextHop.IsResolved)
            return DropReason.NeighbourUnresolved;
        if (flow is not null)
            _flows.Remove(flow);
        var backendKey = key.Towards(backend.Address);
        var other = _flows.FindByReturn(backendKey);
        if (other is not null && other->State != FlowState.Closing)
            return DropReason.ClientPortInUse;
        if (other is not null)
            _flows.Remove(other);
        flow = _flows.Add(key, backendKey, uptime);
        if (flow is null)
            return DropReason.FlowTableFull;
        flow->Backend = service.Backend;
        flow->ForwardDelta = Rewriter.DeltaOf(key, backendKey);
        if (against == DropReason.None)
            _counters.CountAccepted(cookie.AgeAt(unixSeconds) < service.FreshFor);
        return DropReason.None;
    }

    private DropReason Refuse(DropReason reason)
    {
        _counters.CountVerdictAgainst(reason);
        return reason;
    }

    private static PrefixRules? RulesOf(PathSnapshot snapshot, ReadOnlySpan<byte> destination)
    {
        var bits = CookiePrefix.Of(destination).Bits;
        foreach (var rules in snapshot.Prefixes)
        {
            if (rules.Prefix.Bits == bits)
                return rules;
        }
        return null;
    }

    /// <summary>Whether a segment opens a connection: SYN alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOpening(TcpFlags flags) => (flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst | TcpFlags.Fin)) == TcpFlags.Syn;
}
