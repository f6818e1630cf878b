namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>Two sockets on one UMEM; what comes in at one goes out at the other. The way the library is meant to be used.</summary>
internal sealed class Forwarder : IDisposable
{
    internal const uint Batch = 64;
    private readonly Umem _umem;
    private readonly XdpSocket[] _sockets;

    internal Forwarder(Device left, Device right, XdpSocketOptions options, int frameSize = 4096)
    {
        _umem = new(2 * options.FramesNeeded((int)Batch), frameSize);
        Frames = new(_umem);
        _sockets = XdpSocket.OpenAll(_umem, [(left, 0), (right, 0)], options);
        foreach (var socket in _sockets)
            Frames.Refill(ref socket.Fill, socket.Fill.Size);
        Poller = new(_sockets);
    }

    internal XdpSocket Left => _sockets[0];

    internal XdpSocket Right => _sockets[1];

    internal Umem Umem => _umem;

    internal FrameAllocator Frames { get; }

    internal SocketPoller Poller { get; }

    internal ulong Received { get; private set; }

    internal ulong Transmitted { get; private set; }

    internal ulong TransmitRingFull { get; private set; }

    /// <summary>Moves one batch each way; returns how many packets came in.</summary>
    internal uint Step() => Move(Left, Right) + Move(Right, Left);

    private uint Move(XdpSocket from, XdpSocket to)
    {
        ref var rx = ref from.Rx;
        ref var tx = ref to.Tx;
        var count = rx.Peek(Batch);
        if (count > 0)
        {
            var room = tx.Reserve(count);
            for (uint i = 0; i < room; i++)
                tx[i] = new() { Address = rx[i].Address, Length = rx[i].Length };
            for (var i = room; i < count; i++)
                Frames.Return(rx[i].Address);
            rx.Release(count);
            tx.Submit(room);
            Received += count;
            Transmitted += room;
            TransmitRingFull += count - room;
        }
        if (to.Tx.Pending > 0 && to.WakeTransmit() == TransmitResult.Failed)
            Assert.Fail($"transmit on {to}: errno {to.LastTransmitError}");
        Frames.Reclaim(ref to.Completion, 2 * Batch);
        Frames.Refill(ref from.Fill, 2 * Batch);
        return count;
    }

    public void Dispose()
    {
        Poller.Dispose();
        foreach (var socket in _sockets)
            socket.Dispose();
        Frames.Dispose();
        _umem.Dispose();
    }
}
