namespace CookieXdp.AfXdp;

/// <summary>How frames get from the device into the UMEM.</summary>
public enum XdpMode
{
    /// <summary>Zero-copy where the driver gives it, else copy; <see cref="XdpSocket.IsZeroCopy"/> tells which it became.</summary>
    Best,

    /// <summary>The kernel copies each frame; every driver can.</summary>
    Copy,

    /// <summary>The device writes into the UMEM; opening fails where the driver cannot.</summary>
    ZeroCopy,
}

/// <summary>What an <see cref="XdpSocket"/> is opened with.</summary>
public sealed record XdpSocketOptions
{
    /// <summary>Zero-copy, copy, or the better one that works.</summary>
    public XdpMode Mode { get; init; } = XdpMode.Best;

    /// <summary>Entries of the fill ring, a power of two.</summary>
    public int FillSize { get; init; } = 2048;

    /// <summary>Entries of the completion ring, a power of two.</summary>
    public int CompletionSize { get; init; } = 2048;

    /// <summary>Entries of the RX ring, a power of two.</summary>
    public int RxSize { get; init; } = 2048;

    /// <summary>Entries of the TX ring, a power of two.</summary>
    public int TxSize { get; init; } = 2048;

    /// <summary>Microseconds that the kernel polls the device for within a system call (SO_BUSY_POLL); 0 leaves it off.</summary>
    public int BusyPollMicroseconds { get; init; }

    /// <summary>Packets handled in one such poll (SO_BUSY_POLL_BUDGET).</summary>
    public int BusyPollBudget { get; init; } = 64;

    /// <summary>How long opening goes on trying while the queue is busy: the kernel releases a closed socket's queue some time after the close.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Frames a UMEM needs for one such socket, so that no ring can starve another: all four rings full, and the batches in hand.</summary>
    /// <param name="batchSize">Frames that the caller holds outside the rings at a time.</param>
    public int FramesNeeded(int batchSize) => FillSize + CompletionSize + RxSize + TxSize + batchSize;

    /// <exception cref="ArgumentOutOfRangeException">A ring's size is no power of two.</exception>
    internal void Validate()
    {
        Check(FillSize, nameof(FillSize));
        Check(CompletionSize, nameof(CompletionSize));
        Check(RxSize, nameof(RxSize));
        Check(TxSize, nameof(TxSize));

        static void Check(int size, string name)
        {
            if (size <= 0 || !int.IsPow2(size))
                throw new ArgumentOutOfRangeException(name, size, "the kernel accepts rings of a power of two only");
        }
    }
}
