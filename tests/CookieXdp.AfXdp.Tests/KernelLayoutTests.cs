using System.Globalization;
using System.Runtime.CompilerServices;
using CookieXdp.AfXdp.Native;
using CookieXdp.AfXdp.Tests.Support;
using CookieXdp.Engine.Control;

namespace CookieXdp.AfXdp.Tests;

/// <summary>What this library declares, against what the C compiler makes of the system's headers and of native/cookiexdp.bpf.h.</summary>
public sealed class KernelLayoutTests
{
    private static readonly List<(string C, long Here)> Expressions = [];

    static KernelLayoutTests()
    {
        Add("sizeof(struct sockaddr_xdp)", Unsafe.SizeOf<SocketAddressXdp>());
        SocketAddressXdp address = default;
        Add("offsetof(struct sockaddr_xdp, sxdp_flags)", Offset(ref address, ref address.Flags));
        Add("offsetof(struct sockaddr_xdp, sxdp_ifindex)", Offset(ref address, ref address.InterfaceIndex));
        Add("offsetof(struct sockaddr_xdp, sxdp_queue_id)", Offset(ref address, ref address.QueueId));
        Add("offsetof(struct sockaddr_xdp, sxdp_shared_umem_fd)", Offset(ref address, ref address.SharedUmemFd));

        Add("sizeof(struct xdp_umem_reg)", Unsafe.SizeOf<XdpUmemRegistration>());
        XdpUmemRegistration registration = default;
        Add("offsetof(struct xdp_umem_reg, len)", Offset(ref registration, ref registration.Length));
        Add("offsetof(struct xdp_umem_reg, chunk_size)", Offset(ref registration, ref registration.ChunkSize));
        Add("offsetof(struct xdp_umem_reg, headroom)", Offset(ref registration, ref registration.Headroom));
        Add("offsetof(struct xdp_umem_reg, flags)", Offset(ref registration, ref registration.Flags));

        Add("sizeof(struct xdp_mmap_offsets)", Unsafe.SizeOf<XdpMmapOffsets>());
        XdpMmapOffsets offsets = default;
        Add("offsetof(struct xdp_mmap_offsets, tx)", Offset(ref offsets, ref offsets.Tx));
        Add("offsetof(struct xdp_mmap_offsets, fr)", Offset(ref offsets, ref offsets.Fill));
        Add("offsetof(struct xdp_mmap_offsets, cr)", Offset(ref offsets, ref offsets.Completion));
        Add("offsetof(struct xdp_ring_offset, consumer)", Offset(ref offsets.Rx, ref offsets.Rx.Consumer));
        Add("offsetof(struct xdp_ring_offset, desc)", Offset(ref offsets.Rx, ref offsets.Rx.Descriptors));
        Add("offsetof(struct xdp_ring_offset, flags)", Offset(ref offsets.Rx, ref offsets.Rx.Flags));

        Add("sizeof(struct xdp_desc)", Unsafe.SizeOf<XdpDescriptor>());
        XdpDescriptor descriptor = default;
        Add("offsetof(struct xdp_desc, len)", Offset(ref descriptor, ref descriptor.Length));
        Add("offsetof(struct xdp_desc, options)", Offset(ref descriptor, ref descriptor.Options));

        Add("sizeof(struct xdp_statistics)", Unsafe.SizeOf<XdpStatistics>());
        XdpStatistics statistics = default;
        Add("offsetof(struct xdp_statistics, rx_invalid_descs)", Offset(ref statistics, ref statistics.RxInvalidDescriptors));
        Add("offsetof(struct xdp_statistics, tx_invalid_descs)", Offset(ref statistics, ref statistics.TxInvalidDescriptors));
        Add("offsetof(struct xdp_statistics, rx_ring_full)", Offset(ref statistics, ref statistics.RxRingFull));
        Add("offsetof(struct xdp_statistics, rx_fill_ring_empty_descs)", Offset(ref statistics, ref statistics.FillRingEmpty));
        Add("offsetof(struct xdp_statistics, tx_ring_empty_descs)", Offset(ref statistics, ref statistics.TxRingEmpty));

        Add("sizeof(struct pollfd)", Unsafe.SizeOf<PollEntry>());
        Add("POLLIN", PollEntry.Readable);
        Add("POLLERR | POLLHUP | POLLNVAL", PollEntry.Failed);
        Add("sizeof(struct ifreq)", Unsafe.SizeOf<InterfaceRequest>());
        Add("sizeof(struct ethtool_channels)", Unsafe.SizeOf<EthToolChannels>());
        EthToolChannels channels = default;
        Add("offsetof(struct ethtool_channels, rx_count)", Offset(ref channels, ref channels.Receive));
        Add("offsetof(struct ethtool_channels, tx_count)", Offset(ref channels, ref channels.Transmit));
        Add("offsetof(struct ethtool_channels, combined_count)", Offset(ref channels, ref channels.Combined));
        Add("sizeof(struct xdp_md)", Unsafe.SizeOf<XdpContext>());
        XdpContext context = default;
        Add("offsetof(struct xdp_md, ingress_ifindex)", Offset(ref context, ref context.IngressInterfaceIndex));
        Add("offsetof(struct xdp_md, rx_queue_index)", Offset(ref context, ref context.ReceiveQueueIndex));

        Add("sizeof(struct bpf_link_info)", Unsafe.SizeOf<BpfLinkInfo>());
        BpfLinkInfo link = default;
        Add("offsetof(struct bpf_link_info, prog_id)", Offset(ref link, ref link.ProgramId));
        Add("offsetof(struct bpf_link_info, xdp.ifindex)", Offset(ref link, ref link.InterfaceIndex));
        BpfProgramInfo program = default;
        Add("offsetof(struct bpf_prog_info, id)", Offset(ref program, ref program.Id));
        Add("offsetof(struct bpf_link_create_opts, flags)", 8);
        Add("sizeof(struct bpf_object_open_opts)", Unsafe.SizeOf<ObjectOpenOptions>());
        Add("offsetof(struct bpf_object_open_opts, kernel_log_buf)", 56);
        Add("offsetof(struct bpf_object_open_opts, kernel_log_size)", 64);
        Add("offsetof(struct bpf_object_open_opts, kernel_log_level)", 72);
        Add("sizeof(struct bpf_test_run_opts)", Unsafe.SizeOf<TestRunOptions>());
        TestRunOptions run = default;
        Add("offsetof(struct bpf_test_run_opts, data_size_in)", Offset(ref run, ref run.DataInLength));
        Add("offsetof(struct bpf_test_run_opts, ctx_size_in)", Offset(ref run, ref run.ContextInLength));
        Add("offsetof(struct bpf_test_run_opts, retval)", Offset(ref run, ref run.Result));
        Add("offsetof(struct bpf_test_run_opts, repeat)", Offset(ref run, ref run.Repeat));

        Add("AF_XDP", XdpAbi.AddressFamily);
        Add("SOL_XDP", XdpAbi.Level);
        Add("XDP_SHARED_UMEM", XdpAbi.SharedUmem);
        Add("XDP_COPY", XdpAbi.Copy);
        Add("XDP_ZEROCOPY", XdpAbi.ZeroCopy);
        Add("XDP_USE_NEED_WAKEUP", XdpAbi.UseNeedWakeup);
        Add("XDP_RING_NEED_WAKEUP", XdpAbi.RingNeedWakeup);
        Add("XDP_MMAP_OFFSETS", XdpAbi.MmapOffsets);
        Add("XDP_RX_RING", XdpAbi.RxRing);
        Add("XDP_TX_RING", XdpAbi.TxRing);
        Add("XDP_UMEM_REG", XdpAbi.UmemRegister);
        Add("XDP_UMEM_FILL_RING", XdpAbi.UmemFillRing);
        Add("XDP_UMEM_COMPLETION_RING", XdpAbi.UmemCompletionRing);
        Add("XDP_STATISTICS", XdpAbi.Statistics);
        Add("XDP_OPTIONS", XdpAbi.Options);
        Add("XDP_OPTIONS_ZEROCOPY", XdpAbi.OptionsZeroCopy);
        Add("XDP_PGOFF_RX_RING", (long)XdpAbi.OffsetRxRing);
        Add("XDP_PGOFF_TX_RING", (long)XdpAbi.OffsetTxRing);
        Add("XDP_UMEM_PGOFF_FILL_RING", (long)XdpAbi.OffsetFillRing);
        Add("XDP_UMEM_PGOFF_COMPLETION_RING", (long)XdpAbi.OffsetCompletionRing);
        Add("SO_BUSY_POLL", XdpAbi.SocketBusyPoll);
        Add("SO_PREFER_BUSY_POLL", XdpAbi.SocketPreferBusyPoll);
        Add("SO_BUSY_POLL_BUDGET", XdpAbi.SocketBusyPollBudget);
        Add("SIOCGIFFLAGS", InterfaceRequest.GetFlags);
        Add("SIOCGIFMTU", InterfaceRequest.GetMtu);
        Add("SIOCGIFHWADDR", InterfaceRequest.GetHardwareAddress);
        Add("SIOCGIFINDEX", InterfaceRequest.GetIndex);
        Add("SIOCETHTOOL", InterfaceRequest.EthTool);
        Add("ETHTOOL_GCHANNELS", EthToolChannels.GetChannels);
        Add("BPF_XDP", BpfAbi.AttachXdp);
        Add("BPF_LINK_TYPE_XDP", BpfAbi.LinkTypeXdp);
        Add("XDP_FLAGS_DRV_MODE", BpfAbi.NativeMode);
        Add("BPF_FS_MAGIC", BpfAbi.FileSystemMagic);
        Add("BPF_MAP_TYPE_PERCPU_ARRAY", 6);
        foreach (var (c, here) in new[]
        {
            ("EPERM", LibCErrors.EPERM), ("ENOENT", LibCErrors.ENOENT), ("EINTR", LibCErrors.EINTR), ("E2BIG", LibCErrors.E2BIG),
            ("EAGAIN", LibCErrors.EAGAIN), ("ENOMEM", LibCErrors.ENOMEM), ("EACCES", LibCErrors.EACCES), ("EBUSY", LibCErrors.EBUSY),
            ("EEXIST", LibCErrors.EEXIST), ("ENODEV", LibCErrors.ENODEV), ("EINVAL", LibCErrors.EINVAL), ("ENOSPC", LibCErrors.ENOSPC),
            ("ERANGE", LibCErrors.ERANGE), ("ENOLINK", LibCErrors.ENOLINK), ("EOPNOTSUPP", LibCErrors.EOPNOTSUPP),
            ("EAFNOSUPPORT", LibCErrors.EAFNOSUPPORT), ("ENETDOWN", LibCErrors.ENETDOWN), ("ENOBUFS", LibCErrors.ENOBUFS),
            ("ENOTCONN", LibCErrors.ENOTCONN), ("F_DUPFD_CLOEXEC", 1030),
        })
            Add(c, here);

        Add("sizeof(struct cookiexdp_prefix)", Unsafe.SizeOf<XdpProgram.PrefixKey>());
        Add("sizeof(struct cookiexdp_backend)", Unsafe.SizeOf<XdpProgram.BackendKey>());
        Add("offsetof(struct cookiexdp_backend, port)", 16);
        Add("COOKIEXDP_MAX_PREFIXES", XdpProgram.MaxPrefixes);
        Add("COOKIEXDP_MAX_BACKENDS", XdpProgram.MaxBackends);
        Add("COOKIEXDP_MAX_QUEUES", XdpProgram.MaxQueues);
        Add("COOKIEXDP_DEAD_AFTER_NS", (long)XdpProgram.DeadAfter.TotalNanoseconds);
        Add("COOKIEXDP_PASS_WHEN_DOWN", (long)XdpProgram.PrefixFlags.PassWhenDown);
        Add("COOKIEXDP_ON_LINK", (long)XdpProgram.PrefixFlags.OnLink);
        Add("COOKIEXDP_REASONS", Enum.GetValues<XdpProgram.Reason>().Length);
        Add("COOKIEXDP_UPLINK * COOKIEXDP_REASON_STRIDE + COOKIEXDP_TRUNCATED", XdpProgram.CounterIndex(XdpProgram.Role.Uplink, XdpProgram.Reason.Truncated));
        foreach (var (c, reason) in new[]
        {
            ("REDIRECTED", XdpProgram.Reason.Redirected), ("PASSED", XdpProgram.Reason.Passed), ("NOT_FOR_ENGINE", XdpProgram.Reason.NotForEngine),
            ("NO_SOCKET", XdpProgram.Reason.NoSocket), ("ENGINE_DOWN", XdpProgram.Reason.EngineDown), ("ENGINE_DOWN_PASSED", XdpProgram.Reason.EngineDownPassed),
        })
            Add($"COOKIEXDP_INSIDE * COOKIEXDP_REASON_STRIDE + COOKIEXDP_{c}", XdpProgram.CounterIndex(XdpProgram.Role.Inside, reason));
    }

    private static void Add(string c, long here) => Expressions.Add((c, here));

    private static long Offset<TStruct, TField>(ref TStruct whole, ref TField field) where TStruct : struct =>
        Unsafe.ByteOffset(ref Unsafe.As<TStruct, byte>(ref whole), ref Unsafe.As<TField, byte>(ref field));

    [Fact]
    public void Sizes_offsets_and_constants_are_those_of_the_headers()
    {
        var folder = Directory.CreateTempSubdirectory("cxa");
        try
        {
            var source = Path.Combine(folder.FullName, "layout.c");
            var program = Path.Combine(folder.FullName, "layout");
            File.WriteAllText(source, "#include <errno.h>\n#include <fcntl.h>\n#include <poll.h>\n#include <stddef.h>\n#include <stdio.h>\n"
                + "#include <sys/socket.h>\n#include <linux/if_xdp.h>\n#include <linux/if_link.h>\n#include <linux/if.h>\n#include <linux/ethtool.h>\n"
                + "#include <linux/sockios.h>\n#include <linux/magic.h>\n#include <bpf/libbpf.h>\n#include <bpf/bpf.h>\n#include \"cookiexdp.bpf.h\"\n"
                + "int main(void)\n{\n"
                + string.Concat(Expressions.Select(e => $"\tprintf(\"%lld\\n\", (long long)({e.C}));\n"))
                + "\treturn 0;\n}\n");
            Tool.Run("cc", "-D_GNU_SOURCE", $"-I{Path.Combine(Tool.RepositoryRoot, "native")}", "-o", program, source);
            var there = Tool.Run(program).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(Expressions.Count, there.Length);
            Assert.All(Expressions.Zip(there), pair =>
                Assert.True(pair.First.Here == long.Parse(pair.Second, CultureInfo.InvariantCulture), $"{pair.First.C} is {pair.Second}, not {pair.First.Here}"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Every_reason_has_a_label_of_its_own() =>
        Assert.Equal(Enum.GetValues<XdpProgram.Reason>().Length, Enum.GetValues<XdpProgram.Reason>().Select(XdpProgram.Label).Distinct(StringComparer.Ordinal).Count());
}
