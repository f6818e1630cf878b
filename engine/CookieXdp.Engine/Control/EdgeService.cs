using CookieXdp.AfXdp;
using CookieXdp.Cookies;
using CookieXdp.Dataplane;
using CookieXdp.Dataplane.Flows;
using CookieXdp.Engine.Workers;
using CookieXdp.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CookieXdp.Engine.Control;

/// <summary>
/// The engine as a process: starts everything in order, then keeps next hops, keys and the heartbeat current. Frames are the workers'.
/// </summary>
internal sealed class EdgeService : IHostedService, IDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(250);

    /// <summary>Milliseconds after which a worker that has not come round counts as hung.</summary>
    private const long HungAfter = 1000;

    private readonly Settings _settings;
    private readonly ILogger<EdgeService> _log;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly List<IDisposable> _parts = [];
    private readonly List<Worker> _workers = [];
    private readonly CancellationTokenSource _stopping = new();
    private KeyringWatcher? _keyring;
    private NextHops? _nextHops;
    private PolicyRules _policy = PolicyRules.AcceptAll;
    private AttachedProgram? _program;
    private SnapshotSlot? _snapshot;
    private ulong _snapshotGeneration;
    private int _gateway;
    private SideRules? _uplink;
    private SideRules? _inside;
    private Task _controlling = Task.CompletedTask;

    public EdgeService(Settings settings, ILogger<EdgeService> log, IHostApplicationLifetime lifetime)
    {
        _lifetime = lifetime;
        _settings = settings;
        _log = log;
    }

    private EdgeSettings Edge => _settings.Edge!;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await StartPartsAsync(cancellationToken);
        }
        catch (Exception e) when (e is XdpException or IOException or InvalidDataException or UnauthorizedAccessException or PlatformNotSupportedException)
        {
            throw new StartException(e.Message, e);
        }
        _controlling = ControlAsync();
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _controlling;
    }

    public void Dispose()
    {
        // In reverse: sockets close before their memory goes, the attachment stays (it is pinned).
        foreach (var part in Enumerable.Reverse(_parts))
            part.Dispose();
        _stopping.Dispose();
    }

    private async Task StartPartsAsync(CancellationToken cancellationToken)
    {
        if (CookieForm.IsSlow)
            Warn("cookies are opened without AES instructions, some fifty times slower than with them");
        _policy = PolicyFiles.Load(_settings.Policy, Warn);
        Own(OwnerLock.Take(_settings, $"another engine runs on {Edge.Uplink.Interface} and {Edge.Inside.Interface}: stop it first"));
        var uplink = FindDevice(Edge.Uplink);
        var inside = FindDevice(Edge.Inside);
        if (uplink.ReceiveQueues != inside.ReceiveQueues)
        {
            throw new StartException($"{uplink.Name} has {uplink.ReceiveQueues} receive queue(s) and {inside.Name} has {inside.ReceiveQueues}: they must have equally many, "
                + $"for example: ethtool -L {uplink.Name} combined {Math.Min(uplink.ReceiveQueues, inside.ReceiveQueues)}; ethtool -L {inside.Name} combined {Math.Min(uplink.ReceiveQueues, inside.ReceiveQueues)}");
        }
        _uplink = RulesOf(uplink, Edge.Uplink);
        _inside = RulesOf(inside, Edge.Inside);
        _keyring = Own(new KeyringWatcher(_settings.Keyring, Warn));
        _nextHops = Own(new NextHops(Warn));
        await FindNextHopsAsync(uplink, inside, cancellationToken);

        _snapshot = new SnapshotSlot(BuildSnapshot());
        var flows = Own(TakeFlowsOver());
        _program = Own(AttachedProgram.Load(_settings, uplink.ReceiveQueues));
        var processors = CpuAffinity.Allowed();
        for (var queue = 0; queue < uplink.ReceiveQueues; queue++)
        {
            // From the last processor down: the first ones are where interrupts and everything else run by default.
            var worker = Own(new Worker(queue, processors[^(1 + queue % processors.Length)], uplink, inside, flows, _snapshot));
            _workers.Add(worker);
            _program.SetSockets(queue, worker.SocketOf(Side.Uplink), worker.SocketOf(Side.Inside));
            worker.Start();
        }
        _program.BeatHeart();
        _program.Attach(uplink, inside, Edge.BpfFs);
        if (Edge.Metrics is { } endPoint)
            Own(new EngineMetrics(endPoint, _program, _workers, flows, () => _keyring.Current));
        var copies = _workers[0].SocketOf(Side.Uplink).IsZeroCopy ? "zero-copy" : "copy mode";
        _log.LogInformation("ready: {Uplink} and {Inside}, {Queues} queue(s), {Mode}, {Prefixes} prefix(es), {Policy}", uplink.Name, inside.Name, uplink.ReceiveQueues, copies,
            _settings.Prefixes.Count, _policy.Observe ? "observing" : "enforcing");
    }

    private FlowTable TakeFlowsOver()
    {
        var takeover = FlowTakeover.Run(Edge.FlowFile, Edge.Flows, FlowClock.Seconds);
        _log.Log(takeover.IsRemarkable ? LogLevel.Warning : LogLevel.Information, "{Line}", takeover);
        return takeover.Table;
    }

    private Device FindDevice(InterfaceSettings settings)
    {
        var device = Device.Find(settings.Interface);
        // A frame must fit into a UMEM frame behind the kernel's 256 bytes of headroom, with its Ethernet header and two tags.
        const int mostMtu = 4096 - 256 - 14 - 2 * 4;
        if (device.Mtu > mostMtu)
            throw new StartException($"{device.Name} has an MTU of {device.Mtu}; the engine takes frames up to {mostMtu}: ip link set {device.Name} mtu 1500");
        if (!device.IsUp)
            Warn($"{device.Name} is down: no frame passes until it is up (ip link set {device.Name} up)");
        return device;
    }

    private SideRules RulesOf(Device device, InterfaceSettings settings)
    {
        if (device.Mtu < 1280)
            throw new StartException($"{device.Name} has an MTU of {device.Mtu}; IPv6 needs 1280: ip link set {device.Name} mtu 1500");
        var address = settings.Address ?? OwnAddress.Find(device.Name, facesInternet: settings == Edge.Uplink);
        if (address is null)
            Warn($"{device.Name}: this host has no global address that ICMPv6 errors could be sent from (Packet Too Big, Time Exceeded): name one as address in the configuration");
        return new SideRules(NextHops.MacOf(device), device.Mtu, address);
    }

    private async Task FindNextHopsAsync(Device uplink, Device inside, CancellationToken cancellationToken)
    {
        foreach (var service in Services)
            _nextHops!.Add($"backend {service.Backend!.Address} of {service.Name}", inside, service.Backend.Address, Edge.Inside.Gateway, Edge.Inside.VlanTags);
        _gateway = _nextHops!.Add(Edge.Uplink.Gateway is { } gateway ? $"gateway {gateway}" : "the default route", uplink, destination: null, Edge.Uplink.Gateway, Edge.Uplink.VlanTags);
        // Neighbours usually answer within milliseconds; later ones are taken up by the control loop.
        for (var attempt = 0; attempt < 20; attempt++)
        {
            _nextHops.Refresh();
            if (_nextHops.AllResolved)
                return;
            await Task.Delay(100, cancellationToken);
        }
        Warn($"no hardware address yet of: {_nextHops.Unresolved}; frames there are dropped (neighbourUnresolved) until there is");
    }

    private IEnumerable<ServiceSettings> Services => _settings.Prefixes.SelectMany(prefix => prefix.Services);

    private PathSnapshot BuildSnapshot()
    {
        var keyring = _keyring!.Current;
        _snapshotGeneration = keyring?.Generation ?? 0;
        var backends = new List<Backend>();
        var prefixes = new List<PrefixRules>();
        foreach (var prefix in _settings.Prefixes)
        {
            var services = new ServiceRules?[Cookie.MaxService + 1];
            foreach (var service in prefix.Services)
            {
                services[service.Id] = new ServiceRules(service.Ports, backends.Count, service.FreshFor, service.StaleFor) { IsKnocking = service.Knocking, WhenExpired = AnswerOf(service.Expired) };
                backends.Add(new Backend(BackendAddress.From(service.Backend!.Address.GetAddressBytes(), service.Backend.Port), _nextHops![backends.Count]));
            }
            prefixes.Add(new PrefixRules(prefix.Prefix, keyring?.KeysOf(prefix.Prefix), services) { IsOnLink = prefix.OnLink });
        }
        return new PathSnapshot([.. prefixes], _policy, [.. backends], _nextHops![_gateway])
        {
            Uplink = _uplink!,
            Inside = _inside!,
            AnswersPings = Edge.AnswersPings,
            RebuildFor = Edge.RebuildFor,
        };
    }

    private static ExpiredAnswer AnswerOf(ExpiredReply reply) => reply switch
    {
        ExpiredReply.Reset => ExpiredAnswer.Reset,
        ExpiredReply.Unreachable => ExpiredAnswer.Unreachable,
        _ => ExpiredAnswer.Drop,
    };

    private async Task ControlAsync()
    {
        using var timer = new PeriodicTimer(_interval);
        try
        {
            for (var tick = 0; await timer.WaitForNextTickAsync(_stopping.Token); tick++)
            {
                var now = Environment.TickCount64;
                if (_workers.TrueForAll(worker => now - worker.LastAlive < HungAfter))
                    _program!.BeatHeart();
                if (tick % 4 == 0 && FindLostDevice() is { } lost)
                {
                    // Only a new start finds a new interface of that name; the service manager does that.
                    _log.LogCritical("{Device} has gone: stopping", lost);
                    Environment.ExitCode = 1;
                    _lifetime.StopApplication();
                    return;
                }
                var changed = tick % 4 == 0 && _nextHops!.Refresh();
                if (changed || (_keyring!.Current?.Generation ?? 0) != _snapshotGeneration)
                    _snapshot!.Value = BuildSnapshot();
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop.
        }
        catch (Exception e)
        {
            // Without control no heartbeat: better a restart at once than an edge that drops everything two seconds later.
            _log.LogCritical(e, "the control loop failed");
            Environment.FailFast("the control loop failed", e);
        }
    }

    private string? FindLostDevice()
    {
        foreach (var worker in _workers)
        {
            foreach (var side in (ReadOnlySpan<Side>)[Side.Uplink, Side.Inside])
            {
                if (worker.SocketOf(side) is { DeviceError: not 0 } socket)
                    return socket.Device.Name;
            }
        }
        return null;
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }

    private void Warn(string line) => _log.LogWarning("{Line}", line);
}
