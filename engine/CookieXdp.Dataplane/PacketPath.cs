using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies;

namespace CookieXdp.Dataplane;

/// <summary>
/// The packet path: parse, classify (a known flow, or the cookie and policy), rewrite. Forward only, a batch at a time, nothing
/// allocated. It does no I/O: its caller received the frames and transmits those that are left.
/// </summary>
public sealed unsafe class PacketPath : IDisposable
{
    /// <summary>The greatest number of frames in a batch.</summary>
    public const int MaxBatch = 64;

    private readonly int[] _waiting = new int[MaxBatch];
    private readonly Vector128<byte>[] _addresses = new Vector128<byte>[MaxBatch];
    private readonly OpenedCookie[] _opened = new OpenedCookie[MaxBatch];
    private readonly FlowTable _flows;
    private readonly WorkerCounters _counters;
    private readonly SlowPath _slow;
    private int _egressMtu; // of the side that the present batch goes to

    /// <summary>A path of one worker.</summary>
    /// <param name="flows">The flows that all workers share.</param>
    /// <param name="counters">This worker's own.</param>
    public PacketPath(FlowTable flows, WorkerCounters counters)
    {
        _flows = flows;
        _counters = counters;
        _slow = new SlowPath(flows, counters);
    }

    /// <inheritdoc/>
    public void Dispose() => _slow.Dispose();

    /// <summary>
    /// Judges and rewrites a batch. Afterwards each frame either is to be transmitted on the side <see cref="Frame.Out"/>
    /// (<see cref="Frame.Drop"/> None) or has been counted as dropped. Before each frame <see cref="Frame.RequiredHeadroom"/> bytes are the path's to write to.
    /// </summary>
    /// <param name="frames">The frames, all received on one side; up to <see cref="MaxBatch"/>.</param>
    /// <param name="from">The side.</param>
    /// <param name="snapshot">What to judge by.</param>
    /// <param name="unixSeconds">The time now, for cookies.</param>
    /// <param name="uptime">Seconds of a clock that never goes back, for flows.</param>
    public void Process(Span<Frame> frames, Side from, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (frames.Length > MaxBatch)
            throw new ArgumentException($"more than {MaxBatch} frames", nameof(frames));
        var ownMac = snapshot[from].OwnMac;
        var to = (Side)((int)from ^ 1);
        _egressMtu = snapshot[to].Mtu;
        _flows.Enter();
        var waiting = 0;
        long bytes = 0;
        for (var i = 0; i < frames.Length; i++)
        {
            ref var frame = ref frames[i];
            bytes += frame.Length;
            frame.Out = to;
            var drop = FrameParser.Parse(ref frame, ownMac);
            frame.Drop = drop;
            if (drop != DropReason.None)
                continue;
            if (frame.Kind != FrameKind.Tcp)
            {
                if (!_slow.TryDecide(ref frame, from, snapshot, uptime))
                    _waiting[waiting++] = i;
            }
            else if (from == Side.Inside)
                frame.Drop = FromBackend(ref frame, snapshot, uptime);
            else if (!TryFollowFlow(ref frame, snapshot, uptime))
                _waiting[waiting++] = i;
        }
        if (waiting > 0)
            JudgeWaiting(frames, waiting, snapshot, unixSeconds, uptime);
        _flows.Exit();
        _counters.CountReceived(from, frames.Length, bytes);
        foreach (ref readonly var frame in frames)
        {
            if (frame.Drop != DropReason.None)
                _counters.CountDropped(frame.Drop);
        }
    }

    /// <summary>Sends a client's frame on where its flow is known; false where the cookie decides.</summary>
    private bool TryFollowFlow(ref Frame frame, PathSnapshot snapshot, uint uptime)
    {
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var flags = (TcpFlags)tcp[HeaderLayout.TcpFlagsOffset];
        var flow = _flows.FindByClient(FlowKey.FromClient(ip, tcp));
        if (flow is null || IsReopened(flow, flags))
            return false;
        if (!MayChange(flow, flags) || !IsUnverified(ref frame))
            _flows.Touch(flow, TcpState.AfterClient(flow, flags, SequenceOf(tcp), AcknowledgmentOf(tcp)), uptime);
        else if (frame.FragmentOffset == 0)
        {
            frame.Drop = DropReason.BadChecksum;
            return true;
        }
        frame.Drop = SendToBackend(ref frame, flow, snapshot, uptime);
        return true;
    }

    /// <summary>Opens the cookies of all frames without a flow together, and then judges the frames in the order they came in.</summary>
    private void JudgeWaiting(Span<Frame> frames, int waiting, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        for (var i = 0; i < waiting; i++)
        {
            ref var frame = ref frames[_waiting[i]];
            frame.Drop = DropReason.FalseCookie;
            _addresses[i] = Vector128.Load(frame.Data + frame.CookieOffset);
        }
        // Each prefix judges what lies in it, with all addresses opened together. Mostly there is one prefix; what lies in none is false.
        foreach (var rules in snapshot.Prefixes)
        {
            rules.Keys?.Open(_addresses.AsSpan(0, waiting), unixSeconds, _opened);
            for (var i = 0; i < waiting; i++)
            {
                if (!rules.Prefix.Contains(_addresses[i]))
                    continue;
                ref var frame = ref frames[_waiting[i]];
                frame.Drop = rules.Keys is null ? DropReason.NoKeys : FromClient(ref frame, rules, _opened[i], snapshot, unixSeconds, uptime);
            }
        }
    }

    private DropReason FromClient(ref Frame frame, PrefixRules rules, in OpenedCookie cookie, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        if (frame.Kind != FrameKind.Tcp)
            return _slow.JudgeByCookie(ref frame, rules, cookie, snapshot, unixSeconds, uptime);
        // A frame of this same batch may have made the flow meanwhile.
        if (TryFollowFlow(ref frame, snapshot, uptime))
            return frame.Drop;
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var key = FlowKey.FromClient(ip, tcp);
        var flow = _flows.FindByClient(key);
        var flags = (TcpFlags)tcp[HeaderLayout.TcpFlagsOffset];
        if (cookie.IsGenuine && IsOpening(flags) && frame.FragmentOffset == 0 && !InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderTcp))
            return DropReason.BadChecksum;
        var drop = Admit(ip, key, flags, rules, cookie, snapshot, unixSeconds, uptime, ref flow);
        if (drop == DropReason.Expired)
            return _slow.RefuseExpired(ref frame, rules.Services[cookie.Service]!, snapshot, uptime);
        return drop == DropReason.None ? SendToBackend(ref frame, flow, snapshot, uptime) : drop;
    }

    private DropReason SendToBackend(ref Frame frame, Flow* flow, PathSnapshot snapshot, uint uptime)
    {
        var backend = snapshot.Backends[flow->Backend];
        if (!backend.NextHop.IsResolved)
            return DropReason.NeighbourUnresolved;
        if (IsUnusual(ref frame))
            return _slow.SendOn(ref frame, flow, snapshot, uptime);
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
        if (!MayChange(flow, flags) || !IsUnverified(ref frame))
            _flows.Touch(flow, TcpState.AfterBackend(flow, flags, SequenceOf(tcp), AcknowledgmentOf(tcp)), uptime);
        else if (frame.FragmentOffset == 0)
            return DropReason.BadChecksum;
        if (!snapshot.Gateway.IsResolved)
            return DropReason.NeighbourUnresolved;
        if (IsUnusual(ref frame))
            return _slow.SendOn(ref frame, flow, snapshot, uptime);
        Rewriter.ToClient(ref frame, flow, snapshot.Gateway);
        return DropReason.None;
    }

    /// <summary>Asks policy about a frame without a flow (or with one that is closing), and makes the flow.</summary>
    private DropReason Admit(
        byte* ip, in FlowKey key, TcpFlags flags, PrefixRules rules, in OpenedCookie cookie, PathSnapshot snapshot, long unixSeconds, uint uptime, ref Flow* flow)
    {
        var genuine = cookie.IsGenuine;
        if (!IsOpening(flags))
            return genuine ? DropReason.NoFlow : DropReason.FalseCookie;
        if (!genuine)
            return Refuse(DropReason.FalseCookie);
        if (rules.Services[cookie.Service] is not { } service)
            return Refuse(DropReason.UnknownService);
        if (!service.Has(key.NearPort))
            return Refuse(DropReason.WrongPort);

        var client = new ReadOnlySpan<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength);
        if (IsOurs(key, client, snapshot))
            return DropReason.BadSource;
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
        // One that is only half-open gives way: whoever forged it could else keep its owner's port from being used.
        if (other is not null && other->State == FlowState.Established)
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

    /// <summary>Whether a source is one that only this side of the edge has: in a protected prefix, or a backend's.</summary>
    private static bool IsOurs(in FlowKey key, ReadOnlySpan<byte> client, PathSnapshot snapshot)
    {
        foreach (var rules in snapshot.Prefixes)
        {
            if (rules.Prefix.Contains(client))
                return true;
        }
        foreach (var backend in snapshot.Backends)
        {
            if (backend.Address.High == key.ClientHigh && backend.Address.Low == key.ClientLow)
                return true;
        }
        return false;
    }

    private DropReason Refuse(DropReason reason)
    {
        _counters.CountVerdictAgainst(reason);
        return reason;
    }

    /// <summary>Whether a closed connection's port is being used again: that is as new as any other connection.</summary>
    private static bool IsReopened(Flow* flow, TcpFlags flags) => flow->State == FlowState.Closing && IsOpening(flags);

    /// <summary>Whether a frame does not fit the side it goes to, or is a first fragment that others follow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsUnusual(ref Frame frame) => frame.PacketLength > _egressMtu || frame.FragmentOffset != 0;

    /// <summary>Whether a segment can open, establish or end its flow: then only with the right checksum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool MayChange(Flow* flow, TcpFlags flags) =>
        (flags & (TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst)) != 0 || flow->State == FlowState.HalfOpen;

    /// <summary>Whether a checksum is wrong, or cannot be told: a first fragment's covers what is not here. That one passes, but changes nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsUnverified(ref Frame frame) => frame.FragmentOffset != 0 || !InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderTcp);

    private static uint SequenceOf(byte* tcp) => FrameParser.ReadUInt32(tcp + HeaderLayout.TcpSequenceOffset);

    private static uint AcknowledgmentOf(byte* tcp) => FrameParser.ReadUInt32(tcp + HeaderLayout.TcpAcknowledgmentOffset);

    /// <summary>Whether a segment opens a connection: SYN alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOpening(TcpFlags flags) => (flags & (TcpFlags.Syn | TcpFlags.Ack | TcpFlags.Rst | TcpFlags.Fin)) == TcpFlags.Syn;
}
