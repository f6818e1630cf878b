using System.Diagnostics;
using CookieXdp.AfXdp.Native;
using Tmds.Linux;

namespace CookieXdp.AfXdp;

// How a socket comes to be: the order of calls is the kernel's (Documentation/networking/af_xdp.rst).
public sealed unsafe partial class XdpSocket
{
    private XdpSocket(Umem umem, Device device, int queue, XdpSocketOptions options, int fd)
    {
        Umem = umem;
        Device = device;
        Queue = queue;
        Fd = fd;

        var flags = 0u;
        var length = sizeof(uint);
        IsZeroCopy = Succeeds(SystemCalls.GetOption(fd, XdpAbi.Level, XdpAbi.Options, &flags, ref length), "XDP_OPTIONS") >= 0
            && (flags & XdpAbi.OptionsZeroCopy) != 0;

        XdpMmapOffsets offsets = default;
        length = sizeof(XdpMmapOffsets);
        Succeeds(SystemCalls.GetOption(fd, XdpAbi.Level, XdpAbi.MmapOffsets, &offsets, ref length), "XDP_MMAP_OFFSETS");
        if (length != sizeof(XdpMmapOffsets))
            throw new XdpException($"AF_XDP socket on {this}: this kernel has no need_wakeup; Linux 5.4 or later is needed");

        try
        {
            _fillMap = Map(offsets.Fill, options.FillSize, sizeof(ulong), XdpAbi.OffsetFillRing, "fill");
            _completionMap = Map(offsets.Completion, options.CompletionSize, sizeof(ulong), XdpAbi.OffsetCompletionRing, "completion");
            _rxMap = Map(offsets.Rx, options.RxSize, sizeof(XdpDescriptor), XdpAbi.OffsetRxRing, "RX");
            _txMap = Map(offsets.Tx, options.TxSize, sizeof(XdpDescriptor), XdpAbi.OffsetTxRing, "TX");
        }
        catch (XdpException)
        {
            _fillMap.Unmap();
            _completionMap.Unmap();
            _rxMap.Unmap();
            _txMap.Unmap();
            throw;
        }
        Fill = _fillMap.Producer<ulong>();
        Completion = _completionMap.Consumer<ulong>();
        Rx = _rxMap.Consumer<XdpDescriptor>();
        Tx = _txMap.Producer<XdpDescriptor>();
        TransmitBudget = Tune(fd, options);
    }

    /// <summary>Opens a socket on a queue. The first on a UMEM registers it and decides whether it is zero-copy for all that follow.</summary>
    /// <param name="umem">The memory; one socket for each (device, queue) on it.</param>
    /// <param name="device">The device, which must be up.</param>
    /// <param name="queue">The queue, from 0.</param>
    /// <param name="options">Ring sizes and mode.</param>
    /// <exception cref="XdpException">The kernel refuses; the message says what to do. Errno is EBUSY where somebody else has the queue.</exception>
    public static XdpSocket Open(Umem umem, Device device, int queue, XdpSocketOptions options)
    {
        ArgumentNullException.ThrowIfNull(umem);
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegative(queue);
        options.Validate();
        umem.ThrowIfDisposed();

        var clock = Stopwatch.StartNew();
        while (true)
        {
            var fd = Bound(umem, device, queue, options, out var failure);
            if (failure is null)
            {
                try
                {
                    var socket = new XdpSocket(umem, device, queue, options, fd);
                    umem.Add(socket);
                    return socket;
                }
                catch
                {
                    _ = SystemCalls.Close(fd);
                    throw;
                }
            }
            // A socket whose bind has failed is not tried again: how much of it is still usable differs between kernels.
            if (fd >= 0)
                _ = SystemCalls.Close(fd);
            if (failure.Errno != LibCErrors.EBUSY || clock.Elapsed >= options.BusyTimeout)
                throw failure;
            Thread.Sleep(BusyStep);
        }
    }

    /// <summary>
    /// Opens several sockets on one UMEM, all zero-copy or all copying: with <see cref="XdpMode.Best"/>, where one of them cannot do
    /// zero-copy, all of them copy.
    /// </summary>
    /// <exception cref="XdpException">One cannot be opened; those opened before it are closed again.</exception>
    public static XdpSocket[] OpenAll(Umem umem, ReadOnlySpan<(Device Device, int Queue)> pairs, XdpSocketOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var sockets = new XdpSocket?[pairs.Length];
        try
        {
            for (var i = 0; i < sockets.Length; i++)
                sockets[i] = Open(umem, pairs[i].Device, pairs[i].Queue, options);
            return sockets!;
        }
        catch (XdpException)
        {
            var mixed = options.Mode == XdpMode.Best && sockets[0] is { IsZeroCopy: true };
            foreach (var socket in sockets)
                socket?.Dispose();
            if (!mixed)
                throw;
        }
        return OpenAll(umem, pairs, options with { Mode = XdpMode.Copy });
    }

    /// <summary>Whether a queue can do zero-copy: opens a socket on it for a moment. The queue must be free, and its network driver may reset it.</summary>
    /// <exception cref="XdpException">The queue cannot be opened at all.</exception>
    public static bool SupportsZeroCopy(Device device, int queue)
    {
        using var umem = new Umem(64);
        using var socket = Open(umem, device, queue, new() { FillSize = 16, CompletionSize = 16, RxSize = 16, TxSize = 16 });
        return socket.IsZeroCopy;
    }

    /// <summary>A bound socket with its rings made but not mapped; on failure the reason, and a socket to close unless negative.</summary>
    private static int Bound(Umem umem, Device device, int queue, XdpSocketOptions options, out XdpException? failure)
    {
        var place = $"AF_XDP socket on {device.Name} queue {queue}";
        failure = null;
        var fd = SystemCalls.Socket(XdpAbi.AddressFamily, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, 0);
        if (fd < 0)
        {
            failure = XdpException.Of(place, -fd, -fd switch
            {
                LibCErrors.EPERM => "CAP_NET_RAW is needed",
                LibCErrors.EAFNOSUPPORT => "The kernel is built without CONFIG_XDP_SOCKETS",
                _ => "",
            });
            return fd;
        }

        var registrant = umem.Registrant;
        var error = 0;
        if (registrant is null)
        {
            var registration = new XdpUmemRegistration
            {
                Address = (ulong)umem.Memory,
                Length = umem.Length,
                ChunkSize = (uint)umem.FrameSize,
                Headroom = (uint)umem.Headroom,
            };
            error = SystemCalls.SetOption(fd, XdpAbi.Level, XdpAbi.UmemRegister, &registration, sizeof(XdpUmemRegistration));
            if (error < 0)
                failure = XdpException.Of($"{place}: UMEM of {umem.FrameCount} frames of {umem.FrameSize} bytes", -error,
                    -error == LibCErrors.ENOBUFS ? "RLIMIT_MEMLOCK is too small for it: CAP_IPC_LOCK, or systemd's LimitMEMLOCK=infinity, lifts it" : "");
        }
        if (error >= 0)
            error = MakeRing(fd, place, XdpAbi.UmemFillRing, options.FillSize, "fill", ref failure);
        if (error >= 0)
            error = MakeRing(fd, place, XdpAbi.UmemCompletionRing, options.CompletionSize, "completion", ref failure);
        if (error >= 0)
            error = MakeRing(fd, place, XdpAbi.RxRing, options.RxSize, "RX", ref failure);
        if (error >= 0)
            error = MakeRing(fd, place, XdpAbi.TxRing, options.TxSize, "TX", ref failure);
        if (error < 0)
            return fd;

        var address = new SocketAddressXdp
        {
            Family = XdpAbi.AddressFamily,
            InterfaceIndex = (uint)device.Index,
            QueueId = (uint)queue,
        };
        if (registrant is not null)
        {
            // The kernel refuses any other flag beside this one: mode and need_wakeup are the first socket's.
            address.Flags = XdpAbi.SharedUmem;
            address.SharedUmemFd = (uint)registrant.Fd;
        }
        else
        {
            address.Flags = (ushort)(XdpAbi.UseNeedWakeup | options.Mode switch
            {
                XdpMode.Copy => XdpAbi.Copy,
                XdpMode.ZeroCopy => XdpAbi.ZeroCopy,
                _ => 0,
            });
        }
        error = SystemCalls.Bind(fd, &address, sizeof(SocketAddressXdp));
        if (error < 0)
            failure = XdpException.Of(place, -error, BindAdvice(-error, device, queue, options.Mode, registrant));
        return fd;
    }

    private static int MakeRing(int fd, string place, int option, int size, string name, ref XdpException? failure)
    {
        var error = SystemCalls.SetOption(fd, XdpAbi.Level, option, size);
        if (error < 0)
            failure = XdpException.Of($"{place}: {name} ring of {size} entries", -error);
        return error;
    }

    private static string BindAdvice(int errno, Device device, int queue, XdpMode mode, XdpSocket? registrant) => errno switch
    {
        LibCErrors.EBUSY => "Another AF_XDP socket has this queue; end the program that holds it",
        LibCErrors.ENETDOWN => $"The interface is down: `ip link set dev {device.Name} up`",
        LibCErrors.ENODEV => "The interface has gone",
        LibCErrors.EPERM => "CAP_NET_RAW is needed",
        LibCErrors.EINVAL when queue >= device.ReceiveQueues && queue >= device.TransmitQueues =>
            $"The interface has {Math.Max(device.ReceiveQueues, device.TransmitQueues)} queues, numbered from 0",
        LibCErrors.EOPNOTSUPP or LibCErrors.EINVAL when registrant is { IsZeroCopy: true } =>
            $"It shares the UMEM of {registrant}, which is zero-copy, and cannot do that; use copy mode for both",
        LibCErrors.EOPNOTSUPP or LibCErrors.EINVAL when mode == XdpMode.ZeroCopy =>
            "The driver gives no zero-copy here; use copy mode, or the best that works",
        _ => "",
    };

    /// <summary>Settings that make it faster and that may be refused without harm. Returns how many packets one wakeup transmits.</summary>
    private static int Tune(int fd, XdpSocketOptions options)
    {
        // Bytes in flight count against the send buffer, and its default would stop a batch half-way. Beyond the limit only with CAP_NET_ADMIN.
        if (SystemCalls.SetOption(fd, LibC.SOL_SOCKET, LibC.SO_SNDBUFFORCE, SendBuffer) < 0)
            _ = SystemCalls.SetOption(fd, LibC.SOL_SOCKET, LibC.SO_SNDBUF, SendBuffer);
        if (options.BusyPollMicroseconds > 0)
        {
            _ = SystemCalls.SetOption(fd, LibC.SOL_SOCKET, XdpAbi.SocketPreferBusyPoll, 1);
            _ = SystemCalls.SetOption(fd, LibC.SOL_SOCKET, XdpAbi.SocketBusyPoll, options.BusyPollMicroseconds);
            _ = SystemCalls.SetOption(fd, LibC.SOL_SOCKET, XdpAbi.SocketBusyPollBudget, options.BusyPollBudget);
        }
        const int kernelDefault = 32;
        return SystemCalls.SetOption(fd, XdpAbi.Level, XdpAbi.MaxTransmitSkbBudget, options.TxSize) < 0 ? kernelDefault : options.TxSize;
    }

    private int Succeeds(int result, string what) =>
        result >= 0 ? result : throw XdpException.Of($"AF_XDP socket on {this}: {what}", -result);

    private XdpRingMap Map(in XdpRingOffset offset, int size, int entrySize, ulong pageOffset, string name)
    {
        var map = new XdpRingMap(Fd, offset, size, entrySize, pageOffset, out var error);
        return error == 0 ? map : throw XdpException.Of($"AF_XDP socket on {this}: memory of the {name} ring", error);
    }
}
