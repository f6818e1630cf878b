using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Tmds.Linux;

namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>
/// A network namespace of the test's own, with veth pairs whose both ends are in it: frames are raw, so nothing routes between them. Needs root.
/// </summary>
internal sealed unsafe partial class NetworkNamespace : IDisposable
{
    private static int _made;

    internal NetworkNamespace()
    {
        if (!Environment.IsPrivilegedProcess)
            throw new InvalidOperationException("the system tests need root (CAP_NET_ADMIN, CAP_BPF, CAP_SYS_ADMIN)");
        Name = $"cxa{Environment.ProcessId}-{Interlocked.Increment(ref _made)}";
        Tool.Run("ip", "netns", "add", Name);
        // Else the kernel's own router solicitations run through the pairs.
        Tool.Run("ip", "netns", "exec", Name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1");
    }

    internal string Name { get; }

    /// <summary>A mounted bpffs; of the thread that <see cref="Run"/> runs on only, and gone with it.</summary>
    internal string BpfFs { get; } = "/sys/fs/bpf";

    /// <summary>Makes a veth pair and brings it up.</summary>
    internal void AddPair(string name, string peer, int mtu = 1500, int queues = 1)
    {
        Tool.Run("ip", "-n", Name, "link", "add", name, "mtu", $"{mtu}", "numrxqueues", $"{queues}", "numtxqueues", $"{queues}", "type", "veth",
            "peer", "name", peer, "mtu", $"{mtu}", "numrxqueues", $"{queues}", "numtxqueues", $"{queues}");
        foreach (var end in new[] { name, peer })
        {
            // A local stack would hand over packets without checksums, and oversized ones.
            Tool.Run("ip", "netns", "exec", Name, "ethtool", "-K", end, "tx", "off", "gso", "off", "gro", "off", "tso", "off", "rxvlan", "off", "txvlan", "off");
            Tool.Run("ip", "-n", Name, "link", "set", end, "up");
        }
    }

    internal void Ip(params string[] arguments) => Tool.Run("ip", ["-n", Name, .. arguments]);

    /// <summary>Runs a test's body within the namespace, with a private bpffs, on a thread that ends with it.</summary>
    internal void Run(Action body)
    {
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter();
                body();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    public void Dispose() => Tool.Run("ip", "netns", "del", Name);

    private void Enter()
    {
        const int recursive = 0x4000, slave = 1 << 19;      // MS_REC, MS_SLAVE
        using var handle = File.OpenHandle($"/run/netns/{Name}");
        Succeeds(LibC.setns((int)handle.DangerousGetHandle(), LibC.CLONE_NEWNET), "setns");
        Succeeds(LibC.unshare(LibC.CLONE_NEWNS), "unshare");
        SucceedsP(Mount(null, "/", null, recursive | slave, null), "mount private");
        SucceedsP(Mount("bpf", BpfFs, "bpf", 0, null), "mount -t bpf");
    }

    private static void Succeeds(int result, string what) => Assert.True(result == 0, $"{what}: {Marshal.GetPInvokeErrorMessage(LibC.errno)}");

    private static void SucceedsP(int result, string what) =>
        Assert.True(result == 0, $"{what}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Mount(string? source, string target, string? type, nuint flags, void* data);
}
