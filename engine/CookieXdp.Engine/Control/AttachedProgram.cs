using System.Diagnostics;
using CookieXdp.AfXdp;
using CookieXdp.Hosting;

namespace CookieXdp.Engine.Control;

/// <summary>
/// The XDP program with its maps, as this engine has loaded it. The attachment is pinned: it outlives the engine, drops what only
/// an engine could handle, and the next engine takes it over without a gap.
/// </summary>
internal sealed class AttachedProgram : IDisposable
{
    private readonly BpfObject _object;
    private readonly BpfMap _heartbeat;
    private readonly BpfMap _counters;
    private readonly List<XdpLink> _links = [];

    private AttachedProgram(BpfObject bpfObject)
    {
        _object = bpfObject;
        _heartbeat = bpfObject.Map(XdpProgram.Heartbeat);
        _counters = bpfObject.Map(XdpProgram.Counters);
    }

    /// <summary>Where the attachments are pinned.</summary>
    internal static IReadOnlyList<string> Pins(string bpfFs) => [Path.Combine(bpfFs, "cookiexdp", "uplink"), Path.Combine(bpfFs, "cookiexdp", "inside")];

    /// <summary>Loads the program and tells it the prefixes and backends; no frame meets it yet.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    internal static AttachedProgram Load(Settings settings, int queues)
    {
        if (queues > XdpProgram.MaxQueues)
            throw new StartException($"{settings.Edge!.Uplink.Interface} has {queues} queues, the XDP program knows {XdpProgram.MaxQueues}: ethtool -L {settings.Edge.Uplink.Interface} combined {XdpProgram.MaxQueues}");
        var services = settings.Prefixes.Sum(prefix => prefix.Services.Count);
        if (settings.Prefixes.Count > XdpProgram.MaxPrefixes || services > XdpProgram.MaxBackends)
            throw new StartException($"the XDP program knows up to {XdpProgram.MaxPrefixes} prefixes and {XdpProgram.MaxBackends} backends, not {settings.Prefixes.Count} and {services}");
        var bpfObject = BpfObject.Open(ReadEmbedded(), "cookiexdp.bpf.o");
        try
        {
            bpfObject.Load();
            var program = new AttachedProgram(bpfObject);
            program.Describe(settings);
            return program;
        }
        catch
        {
            bpfObject.Dispose();
            throw;
        }
    }

    /// <summary>Has the program redirect a queue's frames to these sockets.</summary>
    internal void SetSockets(int queue, XdpSocket uplink, XdpSocket inside)
    {
        _object.Map(XdpProgram.UplinkSockets).SetSocket(queue, uplink);
        _object.Map(XdpProgram.InsideSockets).SetSocket(queue, inside);
    }

    /// <summary>Attaches the program, or puts it in the place of an earlier engine's.</summary>
    internal void Attach(Device uplink, Device inside, string bpfFs)
    {
        var pins = Pins(bpfFs);
        // Inside first: no connection is let in whose replies would leave under the backend's own address.
        _links.Add(XdpLink.AttachPinned(_object.Program(XdpProgram.Inside), inside, pins[1]));
        _links.Add(XdpLink.AttachPinned(_object.Program(XdpProgram.Uplink), uplink, pins[0]));
    }

    /// <summary>Shows the program that the engine is alive.</summary>
    internal void BeatHeart()
    {
        // On Linux the stopwatch counts nanoseconds of CLOCK_MONOTONIC, which is the clock that the program compares with.
        Debug.Assert(Stopwatch.Frequency == 1_000_000_000, "a stopwatch that counts nanoseconds");
        _heartbeat.Update(0u, (ulong)Stopwatch.GetTimestamp());
    }

    /// <summary>Frames that the program has counted on one side under a reason.</summary>
    internal ulong CountOf(XdpProgram.Role role, XdpProgram.Reason reason) => _counters.SumPerCpu(XdpProgram.CounterIndex(role, reason));

    public void Dispose()
    {
        foreach (var link in _links)
            link.Dispose();
        _object.Dispose();
    }

    private void Describe(Settings settings)
    {
        var always = settings.Edge!.Uplink.PassWhenDown ? XdpProgram.PrefixFlags.PassWhenDown : XdpProgram.PrefixFlags.None;
        Span<byte> address = stackalloc byte[16];
        foreach (var prefix in settings.Prefixes)
        {
            prefix.Prefix.CopyTo(address);
            var flags = prefix.OnLink ? always | XdpProgram.PrefixFlags.OnLink : always;
            _object.Map(XdpProgram.Prefixes).Update(new XdpProgram.PrefixKey(address), (uint)flags);
            foreach (var service in prefix.Services)
            {
                service.Backend!.Address.TryWriteBytes(address, out _);
                _object.Map(XdpProgram.Backends).Update(new XdpProgram.BackendKey(address, (ushort)service.Backend.Port), 0u);
            }
        }
    }

    private static byte[] ReadEmbedded()
    {
        using var resource = typeof(AttachedProgram).Assembly.GetManifestResourceStream("cookiexdp.bpf.o")
            ?? throw new InvalidOperationException("the XDP program is not embedded");
        var bytes = new byte[resource.Length];
        resource.ReadExactly(bytes);
        return bytes;
    }
}
