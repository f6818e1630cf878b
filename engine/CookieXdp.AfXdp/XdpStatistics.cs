using System.Runtime.InteropServices;

namespace CookieXdp.AfXdp;

/// <summary>What the kernel counts for a socket (struct xdp_statistics, XDP_STATISTICS), since it was opened. In packets.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct XdpStatistics
{
    /// <summary>Received and dropped for other reasons, such as being longer than a frame.</summary>
    public ulong RxDropped;

    /// <summary>Fill ring entries that were no frame of the UMEM: a mistake of this process.</summary>
    public ulong RxInvalidDescriptors;

    /// <summary>TX ring entries that were no packet within the UMEM: a mistake of this process.</summary>
    public ulong TxInvalidDescriptors;

    /// <summary>Received and dropped because the RX ring was full: this process is too slow.</summary>
    public ulong RxRingFull;

    /// <summary>Times that the kernel found the fill ring empty.</summary>
    public ulong FillRingEmpty;

    /// <summary>Times that the kernel found the TX ring empty.</summary>
    public ulong TxRingEmpty;
}
