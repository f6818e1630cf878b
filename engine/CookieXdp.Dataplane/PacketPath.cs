using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane;

/// <summary>
/// The packet path: parse, classify (a known flow, or the cookie and policy), rewrite. Forward only, a batch at a time, nothing
/// allocated. It does no I/O: its caller received the frames and transmits those that are left. A batch goes in stages, so that the memory
/// that a frame needs is on its way while others are looked at.
/// </summary>
public sealed unsafe class PacketPath : IDisposable
{
    /// <summary>The greatest number of frames in a batch.</summary>
    public const int MaxBatch = 64;

    private readonly ulong[] _hashes = new ulong[MaxBatch];
    private readonly Flow*[] _guesses = new Flow*[MaxBatch];
    private readonly int[] _waiting = new int[MaxBatch];
    private readonly Vector128<byte>[] _addresses = new Vector128<byte>[MaxBatch];
    private readonly OpenedCookie[] _opened = new OpenedCookie[MaxBatch];
    private readonly FlowTable _flows;
    private readonly FlowReader _reader;
    private readonly WorkerCounters _counters;
    private readonly SlowPath _slow;
    private int _egressMtu; // of the side that the present batch goes to

    /// <summary>A path of one worker.</summary>
    /// <param name="flows">The flows that all workers share.</param>
    /// <param name="counters">This worker's own.</param>
    public PacketPath(FlowTable flows, WorkerCounters counters)
    {
        ArgumentNullException.ThrowIfNull(flows);
        _flows = flows;
        _reader = flows.AddReader();
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
        var to = (Side)((int)from ^ 1);
        _egressMtu = snapshot[to].Mtu;
        _reader.Enter();
        Parse(frames, from, to, snapshot[from].OwnMac);
        Guess(frames, from);
        var waiting = 0;
        for (var i = 0; i < frames.Length; i++)
        {
            ref var frame = ref frames[i];
            if (frame.Drop != DropReason.None)
                continue;
            if (frame.Kind != FrameKind.Tcp)
            {
                if (!_slow.TryDecide(ref frame, from, snapshot, uptime))
                    _waiting[waiting++] = i;
            }
            else if (from == Side.Inside)
                frame.Drop = FromBackend(ref frame, i, snapshot, uptime);
            else if (!TryFollowFlow(ref frame, i, snapshot, uptime))
                _waiting[waiting++] = i;
        }
        if (waiting > 0)
            JudgeWaiting(frames, waiting, snapshot, unixSeconds, uptime);
        _reader.Exit();
        foreach (ref readonly var frame in frames)
        {
            if (frame.Drop != DropReason.None)
                _counters.CountDropped(frame.Drop);
        }
    }

    private void Parse(Span<Frame> frames, Side from, Side to, ulong ownMac)
    {
        long bytes = 0;
        for (var i = 0; i < frames.Length; i++)
        {
            ref var frame = ref frames[i];
            bytes += frame.Length;
            frame.Out = to;
            frame.Drop = FrameParser.Parse(ref frame, ownMac);
            if (frame.Drop != DropReason.None || frame.Kind != FrameKind.Tcp)
                continue;
            var ip = frame.Data + frame.NetworkOffset;
            var tcp = frame.Data + frame.TransportOffset;
            _hashes[i] = from == Side.Uplink ? _flows.HashOfClient(FlowKey.FromClient(ip, tcp)) : _flows.HashOfBackend(FlowKey.FromBackend(ip, tcp));
            _flows.PrefetchBucket(_hashes[i]);
        }
        _counters.CountReceived(from, frames.Length, bytes);
    }

    private void Guess(Span<Frame> frames, Side from)
    {
        for (var i = 0; i < frames.Length; i++)
        {
            if (frames[i].Drop == DropReason.None && frames[i].Kind == FrameKind.Tcp)
                _guesses[i] = _flows.Guess(_hashes[i], from);
        }
    }

    /// <summary>Sends a client's frame on where its flow is known; false where the cookie decides.</summary>
    private bool TryFollowFlow(ref Frame frame, int place, PathSnapshot snapshot, uint uptime)
    {
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var flow = _flows.FindByClient(FlowKey.FromClient(ip, tcp), _hashes[place], _guesses[place]);
        var segment = new Segment(ip, tcp);
        if (flow is null || IsReopened(flow, segment))
            return false;
        if (!MayChange(flow, segment) || !IsUnverified(ref frame))
            FollowClient(flow, segment, uptime);
        else if (frame.FragmentOffset == 0)
        {
            frame.Drop = DropReason.BadChecksum;
            return true;
        }
        frame.Drop = SendToBackend(ref frame, flow, snapshot, uptime);
        return true;
    }

    private void FollowClient(Flow* flow, in Segment segment, uint uptime)
    {
        var was = flow->State;
        _flows.Touch(flow, Side.Uplink, was, TcpState.AfterClient(ref *flow, was, segment), uptime);
    }

    private void FollowBackend(Flow* flow, in Segment segment, uint uptime)
    {
        var was = flow->State;
        _flows.Touch(flow, Side.Inside, was, TcpState.AfterBackend(ref *flow, was, segment), uptime);
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
                frame.Drop = rules.Keys is null ? DropReason.NoKeys : FromClient(ref frame, _waiting[i], rules, _opened[i], snapshot, unixSeconds, uptime);
            }
        }
    }

    private DropReason FromClient(
        ref Frame frame, int place, PrefixRules rules, in OpenedCookie cookie, PathSnapshot snapshot, long unixSeconds, uint uptime)
    {
        if (frame.Kind != FrameKind.Tcp)
            return _slow.JudgeByCookie(ref frame, rules, cookie, snapshot, unixSeconds, uptime);
        // A frame of this same batch may have made the flow meanwhile.
        if (TryFollowFlow(ref frame, place, snapshot, uptime))
            return frame.Drop;
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var segment = new Segment(ip, tcp);
        // What makes a flow must be what was sent; of a first fragment the checksum covers what is not here, so that brings no lost flow back.
        var rebuilding = frame.FragmentOffset == 0 && MayRebuild(segment, snapshot, uptime);
        if (cookie.IsGenuine && frame.FragmentOffset == 0 && (segment.IsOpening || rebuilding) && !InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderTcp))
            return DropReason.BadChecksum;
        var drop = Admit(ip, FlowKey.FromClient(ip, tcp), segment, rebuilding, rules, cookie, snapshot, unixSeconds, uptime, out var flow);
        if (drop == DropReason.Expired && segment.IsOpening)
            return _slow.RefuseExpired(ref frame, rules.Services[cookie.Service]!, snapshot, uptime);
        return drop == DropReason.None ? SendToBackend(ref frame, flow, snapshot, uptime) : drop;
    }

    private DropReason SendToBackend(ref Frame frame, Flow* flow, PathSnapshot snapshot, uint uptime)
    {
        if (BackendOf(flow, snapshot) is not { NextHop.IsResolved: true } backend)
            return DropReason.NeighbourUnresolved;
        if (IsUnusual(ref frame))
            return _slow.SendOn(ref frame, flow, snapshot, uptime);
        Rewriter.ToBackend(ref frame, flow, backend.NextHop);
        return DropReason.None;
    }

    /// <summary>
    /// A flow's backend by its address: a flow may be older than the configuration. Where that has the address no more, but another port of it, the
    /// way there is the same.
    /// </summary>
    internal static Backend? BackendOf(Flow* flow, PathSnapshot snapshot)
    {
        var backends = snapshot.Backends;
        var hint = (int)flow->BackendHint;
        return hint < backends.Length && backends[hint].HasAddressOf(flow) ? backends[hint] : FindBackend(flow, backends);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Backend? FindBackend(Flow* flow, Backend[] backends)
    {
        for (var i = 0; i < backends.Length; i++)
        {
            if (!backends[i].HasAddressOf(flow))
                continue;
            flow->BackendHint = (ushort)i;
            return backends[i];
        }
        return null;
    }

    private DropReason FromBackend(ref Frame frame, int place, PathSnapshot snapshot, uint uptime)
    {
        var ip = frame.Data + frame.NetworkOffset;
        var tcp = frame.Data + frame.TransportOffset;
        var flow = _flows.FindByBackend(FlowKey.FromBackend(ip, tcp), _hashes[place], _guesses[place]);
        if (flow is null)
            return DropReason.NoFlow;
        var segment = new Segment(ip, tcp);
        if (!MayChange(flow, segment) || !IsUnverified(ref frame))
            FollowBackend(flow, segment, uptime);
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
        byte* ip, in FlowKey key, in Segment segment, bool rebuilding, PrefixRules rules, in OpenedCookie cookie, PathSnapshot snapshot, long unixSeconds, uint uptime, out Flow* flow)
    {
        flow = null;
        var genuine = cookie.IsGenuine;
        if (!segment.IsOpening && !rebuilding)
            return genuine ? DropReason.NoFlow : DropReason.FalseCookie;
        if (!genuine)
            return rebuilding ? DropReason.FalseCookie : Refuse(DropReason.FalseCookie);
        if (rules.Services[cookie.Service] is not { } service)
            return Refuse(DropReason.UnknownService);
        if (!service.Has(key.NearPort))
            return Refuse(DropReason.WrongPort);

        var client = new ReadOnlySpan<byte>(ip + HeaderLayout.Ipv6SourceOffset, HeaderLayout.AddressLength);
        if (snapshot.IsOurs(ip + HeaderLayout.Ipv6SourceOffset))
            return DropReason.BadSource;
        var against = snapshot.Policy.Judge(cookie, client, service, unixSeconds);
        if (against != DropReason.None)
        {
            Refuse(against);
            // Observing lets expired cookies open connections, but not bring lost ones back.
            if (!snapshot.Policy.Observe || (rebuilding && against == DropReason.Expired))
                return against;
        }

        var backend = snapshot.Backends[service.Backend];
        if (!backend.NextHop.IsResolved)
            return DropReason.NeighbourUnresolved;
        var drop = Add(key, key.Towards(backend.Address), segment, rebuilding, uptime, out flow);
        if (drop == DropReason.None && against == DropReason.None)
            _counters.CountAccepted(cookie.AgeAt(unixSeconds) < service.FreshFor);
        return drop;
    }

    private DropReason Add(in FlowKey key, in FlowKey backend, in Segment segment, bool rebuilding, uint uptime, out Flow* flow)
    {
        // What is left of a closed connection, whose port is being used again.
        var closing = _flows.FindByClient(key);
        if (closing is not null && IsReopened(closing, segment))
            _flows.Remove(closing);
        // A connection that is open already has its port at the backend, and no other would do.
        var drop = _flows.Add(key, backend, uptime, keepPort: rebuilding, out flow);
        if (drop != DropReason.None)
            return drop;
        if (rebuilding)
        {
            TcpState.BeginRebuilt(ref *flow, segment);
            _counters.CountRebuilt();
        }
        else
        {
            FollowClient(flow, segment, uptime);
        }
        return DropReason.None;
    }

    /// <summary>
    /// Whether a segment may bring back a connection that was lost with a flow table before: one of an open connection, soon after this
    /// table began. Later a genuine cookie is no reason to take a segment for one.
    /// </summary>
    private bool MayRebuild(in Segment segment, PathSnapshot snapshot, uint uptime) =>
        segment.IsOfOpenConnection && uptime - _flows.Created < snapshot.RebuildFor;

    private DropReason Refuse(DropReason reason)
    {
        _counters.CountVerdictAgainst(reason);
        return reason;
    }

    /// <summary>Whether a closed connection's port is being used again: that is as new as any other connection.</summary>
    private static bool IsReopened(Flow* flow, in Segment segment) => segment.IsOpening && flow->State == FlowState.Closing;

    /// <summary>Whether a frame does not fit the side it goes to, or is a first fragment that others follow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsUnusual(ref Frame frame) => frame.PacketLength > _egressMtu || frame.FragmentOffset != 0;

    /// <summary>Whether a segment can open, establish or end its flow: then only with the right checksum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool MayChange(Flow* flow, in Segment segment) =>
        segment.Has(TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst) || flow->State == FlowState.HalfOpen;

    /// <summary>Whether a checksum is wrong, or cannot be told: a first fragment's covers what is not here. That one passes, but changes nothing.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsUnverified(ref Frame frame) => frame.FragmentOffset != 0 || !InternetChecksum.Holds(ref frame, HeaderLayout.NextHeaderTcp);
}
