using System.Net;
using System.Net.Sockets;
using CookieXdp.AfXdp;
using CookieXdp.Cookies;
using CookieXdp.Dataplane;
using CookieXdp.Dataplane.Flows;
using CookieXdp.Engine.Workers;
using CookieXdp.Hosting;
using Prometheus;

namespace CookieXdp.Engine.Control;

/// <summary>
/// /metrics of the engine. Workers, kernel and XDP program count on their own; a scrape copies what they have counted.
/// </summary>
internal sealed class EngineMetrics : IDisposable
{
    private static readonly DropReason[] _verdictReasons =
        [DropReason.FalseCookie, DropReason.UnknownService, DropReason.WrongPort, DropReason.Expired, DropReason.BannedResolver, DropReason.BannedClient];

    private readonly List<Action> _copies = [];
    private readonly IReadOnlyList<Worker> _workers;
    private readonly MetricFactory _factory;
    private readonly MetricsEndPoint _endPoint;

    /// <summary>Serves /metrics.</summary>
    /// <exception cref="StartException">The address or port cannot be had.</exception>
    internal EngineMetrics(IPEndPoint endPoint, AttachedProgram program, IReadOnlyList<Worker> workers, FlowTable flows, Func<Keyring?> keyring)
    {
        var registry = Metrics.NewCustomRegistry();
        _factory = Metrics.WithCustomRegistry(registry);
        _workers = workers;
        AddFrames();
        AddVerdicts();
        AddReplies();
        AddFlows(flows);
        AddXdp(program);
        AddSockets();
        AddKeyring(keyring);
        registry.AddBeforeCollectCallback(() => _copies.ForEach(copy => copy()));
        try
        {
            _endPoint = new MetricsEndPoint(endPoint, registry);
        }
        catch (SocketException e)
        {
            throw new StartException($"edge.metrics: cannot listen at {endPoint}: {e.Message}", e);
        }
    }

    public void Dispose() => _endPoint.Dispose();

    private void AddFrames()
    {
        var frames = _factory.CreateCounter("cookiexdp_frames_total", "Frames that the workers received from, or gave to, an interface.", "interface", "direction");
        var bytes = _factory.CreateCounter("cookiexdp_bytes_total", "Bytes of those frames, Ethernet header included.", "interface", "direction");
        foreach (var side in Enum.GetValues<Side>())
        {
            var name = Label(side);
            Copy(frames.WithLabels(name, "received"), counters => counters.FramesReceived(side));
            Copy(frames.WithLabels(name, "transmitted"), counters => counters.FramesTransmitted(side));
            Copy(bytes.WithLabels(name, "received"), counters => counters.BytesReceived(side));
            Copy(bytes.WithLabels(name, "transmitted"), counters => counters.BytesTransmitted(side));
        }
        var dropped = _factory.CreateCounter("cookiexdp_dropped_frames_total", "Frames that the workers dropped, by reason.", "reason");
        foreach (var reason in Enum.GetValues<DropReason>().Where(reason => reason != DropReason.None))
            Copy(dropped.WithLabels(DropReasons.Name(reason)), counters => counters.Dropped(reason));
    }

    private void AddVerdicts()
    {
        var verdicts = _factory.CreateCounter("cookiexdp_verdicts_total", "Verdicts on new connections; in observe mode also those not carried out.", "verdict", "reason");
        Copy(verdicts.WithLabels("accept", "fresh"), counters => counters.Accepted(fresh: true));
        Copy(verdicts.WithLabels("accept", "stale"), counters => counters.Accepted(fresh: false));
        foreach (var reason in _verdictReasons)
            Copy(verdicts.WithLabels("drop", DropReasons.Name(reason)), counters => counters.VerdictsAgainst(reason));
    }

    private void AddReplies()
    {
        var replies = _factory.CreateCounter("cookiexdp_replies_total", "Frames that the engine has made into answers of its own, by kind; each is among the transmitted frames of its interface.", "kind");
        foreach (var kind in Enum.GetValues<ReplyKind>())
            Copy(replies.WithLabels(ReplyKinds.Name(kind)), counters => counters.Replied(kind));
    }

    private void AddFlows(FlowTable flows)
    {
        var gauge = _factory.CreateGauge("cookiexdp_flows", "Flows in the table, by state.", "state");
        foreach (var state in (ReadOnlySpan<FlowState>)[FlowState.HalfOpen, FlowState.Established, FlowState.Closing])
        {
            var child = gauge.WithLabels(char.ToLowerInvariant(state.ToString()[0]) + state.ToString()[1..]);
            _copies.Add(() => child.Set(flows.CountOf(state)));
        }
        _factory.CreateGauge("cookiexdp_flow_capacity", "Flows that the table has room for.").Set(flows.Capacity);
        Copy(_factory.CreateCounter("cookiexdp_flows_rebuilt_total", "Flows that were lost with a flow table and begun anew from their cookie.").WithLabels(), counters => counters.Rebuilt);
    }

    private void AddXdp(AttachedProgram program)
    {
        var xdp = _factory.CreateCounter("cookiexdp_xdp_frames_total", "Frames that the XDP program saw, by what it did with them.", "interface", "reason");
        foreach (var role in Enum.GetValues<XdpProgram.Role>())
        {
            foreach (var reason in Enum.GetValues<XdpProgram.Reason>())
            {
                var child = xdp.WithLabels(role == XdpProgram.Role.Uplink ? Label(Side.Uplink) : Label(Side.Inside), XdpProgram.Label(reason));
                _copies.Add(() => child.IncTo(program.CountOf(role, reason)));
            }
        }
    }

    private void AddSockets()
    {
        var sockets = _factory.CreateCounter("cookiexdp_socket_dropped_frames_total", "Frames that the kernel dropped between interface and worker, by reason.", "interface", "reason");
        foreach (var side in Enum.GetValues<Side>())
        {
            CopySocket(sockets, side, "rxRingFull", statistics => statistics.RxRingFull);
            CopySocket(sockets, side, "fillRingEmpty", statistics => statistics.FillRingEmpty);
            CopySocket(sockets, side, "other", statistics => statistics.RxDropped);
            var failed = sockets.WithLabels(Label(side), "transmit");
            _copies.Add(() => failed.IncTo(_workers.Sum(worker => (double)worker.SocketOf(side).TransmitDrops)));
        }
    }

    private void AddKeyring(Func<Keyring?> keyring)
    {
        var heartbeat = _factory.CreateGauge("cookiexdp_keyring_heartbeat_timestamp_seconds", "When the keeper last wrote the keyring that is in use; 0: none was read.");
        _copies.Add(() => heartbeat.Set(keyring()?.Heartbeat ?? 0));
    }

    private void Copy(Counter.Child child, Func<WorkerCounters, long> read) => _copies.Add(() => child.IncTo(_workers.Sum(worker => read(worker.Counters))));

    private void CopySocket(Counter counter, Side side, string reason, Func<XdpStatistics, ulong> read)
    {
        var child = counter.WithLabels(Label(side), reason);
        _copies.Add(() => child.IncTo(_workers.Sum(worker => (double)read(worker.SocketOf(side).Statistics))));
    }

    private static string Label(Side side) => side == Side.Uplink ? "uplink" : "inside";
}
