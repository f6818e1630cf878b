using CookieXdp.AfXdp.Native;
using Tmds.Linux;

namespace CookieXdp.AfXdp;

/// <summary>What became of a <see cref="XdpSocket.WakeTransmit"/>.</summary>
public enum TransmitResult
{
    /// <summary>The kernel has taken what it was given.</summary>
    Done,

    /// <summary>
    /// The kernel cannot take more now: the completion ring is full (reclaim it), too many bytes are on their way, or the device's queue is
    /// full. What is in the TX ring stays there; call again later.
    /// </summary>
    Busy,

    /// <summary>The device is down or gone, or the socket is broken; <see cref="XdpSocket.LastTransmitError"/> tells.</summary>
    Failed,
}

/// <summary>
/// An AF_XDP socket: one queue of one device, with its four rings. Packets reach it when the device's XDP program redirects them into
/// an XSKMAP that holds it. One thread uses its rings; need_wakeup is always on.
/// </summary>
public sealed unsafe partial class XdpSocket : IDisposable
{
    private const int SendBuffer = 64 << 20;
    private const int BusyStep = 10;                // milliseconds between two tries to bind
    private const int MaxKicks = 4096;              // a bound for a kernel that reports a drop without end

    private int _deviceError;
    private readonly XdpRingMap _fillMap, _completionMap, _rxMap, _txMap;

    /// <summary>Frames for the kernel to receive into.</summary>
    public ProducerRing<ulong> Fill;

    /// <summary>Frames that the kernel has finished transmitting.</summary>
    public ConsumerRing<ulong> Completion;

    /// <summary>Packets received.</summary>
    public ConsumerRing<XdpDescriptor> Rx;

    /// <summary>Packets to transmit.</summary>
    public ProducerRing<XdpDescriptor> Tx;

    /// <summary>The file descriptor; −1 after Dispose.</summary>
    public int Fd { get; private set; }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>The device's queue, from 0.</summary>
    public int Queue { get; }

    /// <summary>The memory its frames are in.</summary>
    public Umem Umem { get; }

    /// <summary>Whether the device reads and writes the UMEM itself. Read from the kernel, whose fallback to copying is silent.</summary>
    public bool IsZeroCopy { get; }

    /// <summary>Frames that one system call transmits at most in copy mode: 32 before Linux 6.17, later the TX ring's size.</summary>
    public int TransmitBudget { get; }

    /// <summary>Packets that the device dropped while transmitting (copy mode). Their frames come back by the completion ring all the same.</summary>
    public ulong TransmitDrops { get; private set; }

    /// <summary>The errno of the last <see cref="TransmitResult.Failed"/>, positive; 0 before.</summary>
    public int LastTransmitError { get; private set; }

    /// <summary>
    /// The errno, positive, with which the kernel gave the socket up because its device has gone; 0 while all is well. Waiting does not show it:
    /// a socket without a device is silent for ever. Ask now and then.
    /// </summary>
    public int DeviceError
    {
        get
        {
            // The kernel tells once and forgets.
            var error = 0;
            var length = sizeof(int);
            if (_deviceError == 0 && Fd >= 0 && SystemCalls.GetOption(Fd, LibC.SOL_SOCKET, LibC.SO_ERROR, &error, ref length) >= 0)
                _deviceError = error;
            return _deviceError;
        }
    }

    /// <summary>What the kernel has counted for this socket.</summary>
    /// <exception cref="XdpException">The socket is closed.</exception>
    public XdpStatistics Statistics
    {
        get
        {
            XdpStatistics statistics = default;
            var length = sizeof(XdpStatistics);
            var error = SystemCalls.GetOption(Fd, XdpAbi.Level, XdpAbi.Statistics, &statistics, ref length);
            return error >= 0 ? statistics : throw XdpException.Of($"statistics of {this}", -error);
        }
    }

    /// <summary>
    /// Makes the kernel transmit what is in the TX ring; does nothing where it needs no wakeup. Call after every batch. Never blocks. The
    /// number of system calls is bounded: one for each <see cref="TransmitBudget"/> packets, and one for each packet that the device drops.
    /// </summary>
    public TransmitResult WakeTransmit()
    {
        for (var kicks = 0; kicks < MaxKicks && Tx.NeedsWakeup; kicks++)
        {
            var pending = Tx.Pending;
            if (pending == 0)
                return TransmitResult.Done;
            switch (-SystemCalls.KickTransmit(Fd))
            {
                case 0:
                    // In copy mode a descriptor that the kernel refuses ends the call as if all were done, with more behind it.
                    if (IsZeroCopy || Tx.Pending is 0 || Tx.Pending == pending)
                        return TransmitResult.Done;
                    break;
                case LibCErrors.EAGAIN:
                    // Either the budget of one call is used up, or something is full: only progress tells the two apart.
                    if (Tx.Pending == pending)
                        return TransmitResult.Busy;
                    break;
                case LibCErrors.EBUSY:
                    // The device dropped exactly the packet at which the call ended; those behind it still wait.
                    TransmitDrops++;
                    break;
                case LibCErrors.ENOBUFS:
                case LibCErrors.EINTR:
                    return TransmitResult.Busy;
                case var error:
                    LastTransmitError = error;
                    return TransmitResult.Failed;
            }
        }
        return Tx.NeedsWakeup ? TransmitResult.Busy : TransmitResult.Done;
    }

    /// <summary>Makes the driver look at the fill ring where it asked for that. <see cref="SocketPoller.Wait"/> does it, too.</summary>
    public void WakeFill()
    {
        if (Fill.NeedsWakeup)
            _ = SystemCalls.KickReceive(Fd);
    }

    /// <summary>Closes the socket. The kernel takes it out of every XSKMAP, and lets go of the queue a moment later.</summary>
    public void Dispose()
    {
        if (Fd < 0)
            return;
        Umem.Remove(this);
        _fillMap.Unmap();
        _completionMap.Unmap();
        _rxMap.Unmap();
        _txMap.Unmap();
        Fill = default;
        Completion = default;
        Rx = default;
        Tx = default;
        _ = SystemCalls.Close(Fd);
        Fd = -1;
    }

    /// <summary>"device queue n".</summary>
    public override string ToString() => $"{Device.Name} queue {Queue}";
}
