using System.Runtime.InteropServices;
using CookieXdp.AfXdp;
using CookieXdp.Dataplane;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Engine.Workers;

/// <summary>
/// Owns one queue of both interfaces: takes frames from one, has the packet path judge and rewrite them, and gives them to the other, or
/// back where the path has made an answer of one.
/// One pinned thread; nothing managed is allocated after start. A frame in is a frame out or a counted drop.
/// </summary>
internal sealed unsafe class Worker : IDisposable
{
    private const int BatchSize = PacketPath.MaxBatch;

    /// <summary>Milliseconds that a worker with nothing to do sleeps at most: it has to show that it is alive.</summary>
    private const int IdleWait = 250;

    /// <summary>Flows looked at between two batches, when their time may be over.</summary>
    private const int ExpiredAtOnce = 256;

    private readonly Umem _umem;
    private readonly FrameAllocator _frames;
    private readonly XdpSocket[] _sockets; // by Side
    private readonly SocketPoller _poller;
    private readonly WakeEvent _wake = new();
    private readonly FlowTable _flows;
    private readonly SnapshotSlot _snapshot;
    private readonly PacketPath _path;
    private readonly int _cpu;
    private readonly Thread _thread;
    private readonly Frame* _batch;
    private volatile bool _stopping;
    private long _lastAlive;

    /// <summary>Opens the sockets of a queue; no frame is taken before <see cref="Start"/>.</summary>
    /// <exception cref="XdpException">A socket cannot be opened.</exception>
    internal Worker(int queue, int cpu, Device uplink, Device inside, FlowTable flows, SnapshotSlot snapshot)
    {
        _cpu = cpu;
        _flows = flows;
        _snapshot = snapshot;
        var options = new XdpSocketOptions();
        _umem = new Umem(2 * options.FramesNeeded(BatchSize));
        if (Umem.KernelHeadroom + _umem.Headroom < Frame.RequiredHeadroom)
            throw new InvalidOperationException($"the packet path needs {Frame.RequiredHeadroom} bytes before each frame, the UMEM has {Umem.KernelHeadroom + _umem.Headroom}");
        _frames = new FrameAllocator(_umem);
        _sockets = XdpSocket.OpenAll(_umem, [(uplink, queue), (inside, queue)], options);
        _poller = new SocketPoller(_sockets, _wake);
        _path = new PacketPath(flows, Counters);
        _batch = (Frame*)NativeMemory.AllocZeroed(BatchSize, (nuint)sizeof(Frame));
        _thread = new Thread(Run) { Name = $"worker{queue}", IsBackground = true };
        Queue = queue;
    }

    internal int Queue { get; }

    internal WorkerCounters Counters { get; } = new();

    /// <summary>When the worker last came round, in milliseconds of <see cref="Environment.TickCount64"/>.</summary>
    internal long LastAlive => Volatile.Read(ref _lastAlive);

    internal XdpSocket SocketOf(Side side) => _sockets[(int)side];

    internal void Start()
    {
        Volatile.Write(ref _lastAlive, Environment.TickCount64);
        _thread.Start();
    }

    /// <summary>Stops the thread and closes the sockets: frames for the queue are dropped from then on, by the XDP program.</summary>
    public void Dispose()
    {
        _stopping = true;
        _wake.Signal();
        if (_thread.ThreadState != System.Threading.ThreadState.Unstarted)
            _thread.Join();
        _poller.Dispose();
        foreach (var socket in _sockets)
            socket.Dispose();
        _wake.Dispose();
        _path.Dispose();
        _frames.Dispose();
        _umem.Dispose();
        NativeMemory.Free(_batch);
    }

    private void Run()
    {
        CpuAffinity.PinThisThread(_cpu);
        foreach (var socket in _sockets)
            _frames.Refill(ref socket.Fill, socket.Fill.Size);
        while (!_stopping)
        {
            var received = Forward(Side.Uplink) + Forward(Side.Inside);
            Volatile.Write(ref _lastAlive, Environment.TickCount64);
            Expire();
            if (received == 0)
                Sleep();
        }
    }

    /// <summary>Takes one batch from a side and passes on what is left of it.</summary>
    private uint Forward(Side from)
    {
        var source = _sockets[(int)from];
        var to = (Side)((int)from ^ 1);
        var target = _sockets[(int)to];
        // Frames come home first: a TX ring that was full a moment ago may have room again.
        _frames.Reclaim(ref target.Completion, target.Completion.Size);
        if (target.Tx.Pending > 0)
            target.WakeTransmit();
        var count = source.Rx.Peek(BatchSize);
        if (count > 0)
        {
            for (uint i = 0; i < count; i++)
            {
                ref readonly var descriptor = ref source.Rx[i];
                _batch[i] = new Frame { Data = _umem.At(descriptor.Address), Handle = descriptor.Address, Length = (int)descriptor.Length };
            }
            source.Rx.Release(count);
            var batch = new Span<Frame>(_batch, (int)count);
            _path.Process(batch, from, _snapshot.Value, DateTimeOffset.UtcNow.ToUnixTimeSeconds(), FlowClock.Seconds);
            if (Transmit(batch, to) > 0)
                Transmit(batch, from);
            ReturnDropped(batch);
        }
        _frames.Refill(ref source.Fill, source.Fill.Size);
        if (source.Fill.NeedsWakeup)
            source.WakeFill();
        return count;
    }

    /// <summary>Gives a side the frames of a batch that leave by it; those that find no room are marked as dropped.</summary>
    /// <returns>How many frames of the batch leave by the other side.</returns>
    private uint Transmit(Span<Frame> batch, Side side)
    {
        var target = _sockets[(int)side];
        var room = target.Tx.Reserve((uint)batch.Length);
        uint used = 0, others = 0;
        foreach (ref var frame in batch)
        {
            if (frame.Drop != DropReason.None)
                continue;
            if (frame.Out != side)
            {
                others++;
            }
            else if (used < room)
            {
                // Not the address that it was received at: the path may have moved its start.
                target.Tx[used++] = new XdpDescriptor { Address = _umem.AddressOf(frame.Data), Length = (uint)frame.Length };
                Counters.CountTransmitted(side, frame.Length);
            }
            else
            {
                frame.Drop = DropReason.TransmitRingFull;
                Counters.CountDropped(DropReason.TransmitRingFull);
            }
        }
        target.Tx.Submit(used);
        if (used > 0)
            target.WakeTransmit();
        return others;
    }

    private void ReturnDropped(Span<Frame> batch)
    {
        foreach (ref readonly var frame in batch)
        {
            if (frame.Drop != DropReason.None)
                _frames.Return(frame.Handle);
        }
    }

    private void Sleep()
    {
        // What the kernel would not take is offered again soon; else the sockets wake the thread.
        var pending = _sockets[0].Tx.Pending + _sockets[1].Tx.Pending > 0;
        _poller.Wait(pending ? 1 : IdleWait);
        // A device that is down answers every wait at once; without this pause the worker would spin on it.
        if (_poller.HasFailed(0) || _poller.HasFailed(1))
            Thread.Sleep(100);
    }

    private void Expire()
    {
        var now = FlowClock.Seconds;
        if (_flows.HasDue(now))
            _flows.Expire(now, ExpiredAtOnce);
    }
}
