using System.Runtime.InteropServices;

namespace CookieXdp.AfXdp.Native;

// What the kernel's headers declare: linux/if_xdp.h (including what is newer than Debian 12's copy of it), and the few
// lines of linux/bpf.h, linux/if_link.h, linux/sockios.h and linux/ethtool.h that this library needs. All in host byte order.

/// <summary>Constants of linux/if_xdp.h and asm-generic/socket.h.</summary>
internal static class XdpAbi
{
    internal const int AddressFamily = 44;                      // AF_XDP
    internal const int Level = 283;                             // SOL_XDP

    internal const ushort SharedUmem = 1 << 0;                  // sxdp_flags
    internal const ushort Copy = 1 << 1;
    internal const ushort ZeroCopy = 1 << 2;
    internal const ushort UseNeedWakeup = 1 << 3;

    internal const uint RingNeedWakeup = 1 << 0;

    internal const int MmapOffsets = 1;                         // socket options
    internal const int RxRing = 2;
    internal const int TxRing = 3;
    internal const int UmemRegister = 4;
    internal const int UmemFillRing = 5;
    internal const int UmemCompletionRing = 6;
    internal const int Statistics = 7;
    internal const int Options = 8;
    internal const int MaxTransmitSkbBudget = 9;                // XDP_MAX_TX_SKB_BUDGET, Linux 6.17

    internal const uint OptionsZeroCopy = 1 << 0;

    internal const ulong OffsetRxRing = 0;
    internal const ulong OffsetTxRing = 0x80000000;
    internal const ulong OffsetFillRing = 0x100000000;
    internal const ulong OffsetCompletionRing = 0x180000000;

    internal const int SocketBusyPoll = 46;                     // SO_BUSY_POLL
    internal const int SocketPreferBusyPoll = 69;               // SO_PREFER_BUSY_POLL
    internal const int SocketBusyPollBudget = 70;               // SO_BUSY_POLL_BUDGET
}

/// <summary>struct sockaddr_xdp.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SocketAddressXdp
{
    internal ushort Family;
    internal ushort Flags;
    internal uint InterfaceIndex;
    internal uint QueueId;
    internal uint SharedUmemFd;
}

/// <summary>struct xdp_umem_reg. Linux 6.8 put tx_metadata_len where older headers have padding, so it is always sent, as zero.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XdpUmemRegistration
{
    internal ulong Address;
    internal ulong Length;
    internal uint ChunkSize;
    internal uint Headroom;
    internal uint Flags;
    internal uint TransmitMetadataLength;
}

/// <summary>struct xdp_ring_offset.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XdpRingOffset
{
    internal ulong Producer;
    internal ulong Consumer;
    internal ulong Descriptors;
    internal ulong Flags;
}

/// <summary>struct xdp_mmap_offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XdpMmapOffsets
{
    internal XdpRingOffset Rx;
    internal XdpRingOffset Tx;
    internal XdpRingOffset Fill;
    internal XdpRingOffset Completion;
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry
{
    internal const short Readable = 0x001;                      // POLLIN
    internal const short Failed = 0x008 | 0x010 | 0x020;        // POLLERR, POLLHUP, POLLNVAL

    internal int Descriptor;
    internal short Wanted;
    internal short Seen;
}

/// <summary>struct ifreq as far as the questions asked here go: a name, and a union of 24 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 40)]
internal unsafe struct InterfaceRequest
{
    internal const int NameSize = 16;                           // IFNAMSIZ, the closing zero included
    internal const int GetFlags = 0x8913;                       // SIOCGIFFLAGS
    internal const int GetMtu = 0x8921;                         // SIOCGIFMTU
    internal const int GetHardwareAddress = 0x8927;             // SIOCGIFHWADDR
    internal const int GetIndex = 0x8933;                       // SIOCGIFINDEX
    internal const int EthTool = 0x8946;                        // SIOCETHTOOL
    internal const ushort FlagUp = 1;                           // IFF_UP
    internal const ushort HardwareEthernet = 1;                 // ARPHRD_ETHER

    [FieldOffset(0)] internal fixed byte Name[NameSize];
    [FieldOffset(16)] internal int Number;
    [FieldOffset(16)] internal ushort Flags;
    [FieldOffset(16)] internal ushort HardwareFamily;
    [FieldOffset(18)] internal fixed byte HardwareAddress[14];
    [FieldOffset(16)] internal void* Data;
}

/// <summary>struct ethtool_channels.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EthToolChannels
{
    internal const uint GetChannels = 0x3c;                     // ETHTOOL_GCHANNELS

    internal uint Command;
    internal uint MaxReceive;
    internal uint MaxTransmit;
    internal uint MaxOther;
    internal uint MaxCombined;
    internal uint Receive;
    internal uint Transmit;
    internal uint Other;
    internal uint Combined;
}

/// <summary>Constants of linux/bpf.h and linux/if_link.h.</summary>
internal static class BpfAbi
{
    internal const int AttachXdp = 37;                          // BPF_XDP
    internal const uint LinkTypeXdp = 6;                        // BPF_LINK_TYPE_XDP
    internal const uint NativeMode = 1u << 2;                   // XDP_FLAGS_DRV_MODE
    internal const long FileSystemMagic = 0xcafe4a11;           // BPF_FS_MAGIC
    internal const ulong UpdateAny = 0;                         // BPF_ANY
}

/// <summary>struct bpf_link_info as an XDP link fills it.</summary>
[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct BpfLinkInfo
{
    [FieldOffset(0)] internal uint Type;
    [FieldOffset(4)] internal uint Id;
    [FieldOffset(8)] internal uint ProgramId;
    [FieldOffset(16)] internal uint InterfaceIndex;
}

/// <summary>The start of struct bpf_prog_info.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BpfProgramInfo
{
    internal uint Type;
    internal uint Id;
}

/// <summary>struct xdp_md, the context an XDP program sees; offsets of data within the buffer of a test run.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct XdpContext
{
    internal uint Data;
    internal uint DataEnd;
    internal uint DataMeta;
    internal uint IngressInterfaceIndex;
    internal uint ReceiveQueueIndex;
    internal uint EgressInterfaceIndex;
}
