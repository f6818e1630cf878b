using CookieXdp.AfXdp.Native;
using Microsoft.Win32.SafeHandles;

namespace CookieXdp.AfXdp;

/// <summary>
/// The attachment of an XDP program to a device, in native mode. Pinned in a bpffs it outlives the process, and a later process takes it
/// over by exchanging the program atomically: no frame meets the device without one.
/// </summary>
public sealed unsafe class XdpLink : IDisposable
{
    // On a page of 4096 bytes: less 256 of headroom, the 320 of skb_shared_info, and the Ethernet header.
    private const int LargestMtu = 3506;

    private readonly SafeFileHandle _handle;

    private XdpLink(SafeFileHandle handle, string? pinPath, bool tookOver)
    {
        _handle = handle;
        PinPath = pinPath;
        TookOver = tookOver;
    }

    /// <summary>Where it is pinned, or null.</summary>
    public string? PinPath { get; private set; }

    /// <summary>Whether it was there already and only its program was exchanged.</summary>
    public bool TookOver { get; }

    /// <summary>Attaches a program to a device in native mode. The attachment ends with the link unless it is pinned.</summary>
    /// <exception cref="XdpException">The driver refuses; the message says why where that can be known.</exception>
    public static XdpLink Attach(BpfProgram program, Device device)
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(device);
        var options = new LinkCreateOptions { Size = (nuint)sizeof(LinkCreateOptions), Flags = BpfAbi.NativeMode };
        var fd = LibBpf.LinkCreate(program.Handle, device.Index, BpfAbi.AttachXdp, &options);
        if (fd < 0)
            throw XdpException.Of($"XDP program {program.Name} on {device.Name}", -fd, AttachAdvice(-fd, device));
        return new(new((nint)fd, ownsHandle: true), null, tookOver: false);
    }

    /// <summary>
    /// Attaches a program and pins the link; or, where a link is pinned there already, exchanges its program. A pin whose device has gone, or
    /// that is attached to another device of this network namespace (the configuration has changed), is removed first.
    /// </summary>
    /// <param name="program">The program; its maps should be filled before, for packets reach it at once.</param>
    /// <param name="device">The device.</param>
    /// <param name="pinPath">A file in a mounted bpffs, one a device and purpose. Folders on the way are made.</param>
    /// <exception cref="XdpException">The path is not in a bpffs, the pin is something else, or the driver refuses.</exception>
    public static XdpLink AttachPinned(BpfProgram program, Device device, string pinPath)
    {
        ArgumentNullException.ThrowIfNull(program);
        ArgumentNullException.ThrowIfNull(device);
        BpfFileSystem.PrepareFolderOf(pinPath);
        var pinned = OpenPinned(pinPath);
        if (pinned is not null && pinned.IsStillOn(device))
        {
            try
            {
                pinned.Update(program);
            }
            catch
            {
                pinned.Dispose();
                throw;
            }
            return new(pinned._handle, pinPath, tookOver: true);
        }
        if (pinned is not null)
        {
            pinned.Detach();
            pinned.Dispose();
        }

        var link = Attach(program, device);
        try
        {
            link.Pin(pinPath);
            return link;
        }
        catch
        {
            link.Dispose();
            throw;
        }
    }

    /// <summary>Opens the link pinned at a path; null where there is none.</summary>
    /// <exception cref="XdpException">It cannot be opened, or is no XDP link.</exception>
    public static XdpLink? OpenPinned(string pinPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(pinPath);
        var fd = LibBpf.OpenPin(pinPath);
        if (fd == -LibCErrors.ENOENT)
            return null;
        if (fd < 0)
            throw XdpException.Of($"pinned link {pinPath}", -fd, BpfFileSystem.Advice(-fd, pinPath));
        var link = new XdpLink(new((nint)fd, ownsHandle: true), pinPath, tookOver: true);
        // The information of a program begins with its type as that of a link does, and both call XDP 6: only /proc tells the two apart.
        var isLink = File.ReadAllText($"/proc/self/fdinfo/{fd}").Contains("link_type:", StringComparison.Ordinal);
        if (isLink && link.Info().Type == BpfAbi.LinkTypeXdp)
            return link;
        link.Dispose();
        throw new XdpException($"pinned link {pinPath}: is no XDP link; remove it, or choose another path");
    }

    /// <summary>The index of the device it is attached to, in that device's network namespace; 0 where the device has gone.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public int DeviceIndex => (int)Info().InterfaceIndex;

    /// <summary>The kernel's number of the program attached now.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public uint ProgramId => Info().ProgramId;

    /// <summary>Exchanges the program atomically: every frame meets the old one or the new one.</summary>
    /// <exception cref="XdpException">The link's device has gone, or the kernel refuses the program.</exception>
    public void Update(BpfProgram program)
    {
        ArgumentNullException.ThrowIfNull(program);
        var error = LibBpf.LinkUpdate(_handle, program.Handle, null);
        if (error < 0)
            throw XdpException.Of($"XDP link {PinPath}: exchange of its program for {program.Name}", -error,
                -error == LibCErrors.ENOLINK ? "Its device has gone" : "");
    }

    /// <summary>Pins the link, so that it outlives the process.</summary>
    /// <exception cref="XdpException">The path is not in a bpffs, or is taken.</exception>
    public void Pin(string path)
    {
        BpfFileSystem.PrepareFolderOf(path);
        var error = LibBpf.Pin(_handle, path);
        if (error < 0)
            throw XdpException.Of($"pinning a link at {path}", -error, BpfFileSystem.Advice(-error, path));
        PinPath = path;
    }

    /// <summary>Takes the pin away; the attachment then ends with this process or with <see cref="Dispose"/>.</summary>
    /// <exception cref="XdpException">The pin cannot be removed.</exception>
    public void Unpin()
    {
        if (PinPath is null)
            return;
        try
        {
            File.Delete(PinPath);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new XdpException($"unpinning {PinPath}: {e.Message}");
        }
        PinPath = null;
    }

    /// <summary>Detaches the program from the device, and takes the pin away.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public void Detach()
    {
        var error = LibBpf.LinkDetach(_handle);
        if (error < 0 && error != -LibCErrors.ENOLINK)
            throw XdpException.Of($"detaching the XDP link {PinPath}", -error);
        Unpin();
    }

    /// <summary>Lets go of the link. A pinned one stays attached, another one is detached.</summary>
    public void Dispose() => _handle.Dispose();

    /// <summary>Whether the link is on this device. Throws where it is on a device that this network namespace does not have.</summary>
    private bool IsStillOn(Device device)
    {
        var info = Info();
        if (info.InterfaceIndex == 0)
            return false;
        // Indexes repeat between namespaces: only the program's own number tells that the device of that index is the link's.
        uint attached = 0;
        var error = LibBpf.XdpQueryId((int)info.InterfaceIndex, (int)BpfAbi.NativeMode, &attached);
        if (error < 0 || attached != info.ProgramId)
            throw new XdpException($"pinned link {PinPath}: is attached to an interface of another network namespace (index {info.InterfaceIndex} there); "
                + "give each instance a bpffs or a path of its own, or remove the pin");
        return info.InterfaceIndex == device.Index;
    }

    private BpfLinkInfo Info()
    {
        BpfLinkInfo info = default;
        var length = (uint)sizeof(BpfLinkInfo);
        var error = LibBpf.ObjectInfo(_handle, &info, &length);
        return error >= 0 ? info : throw XdpException.Of($"XDP link {PinPath}", -error);
    }

    private static string AttachAdvice(int errno, Device device) => errno switch
    {
        LibCErrors.EPERM => "CAP_BPF and CAP_NET_ADMIN are needed",
        LibCErrors.EBUSY or LibCErrors.EEXIST =>
            $"Another XDP program is attached; end the program that did it, or `ip link set dev {device.Name} xdp off`",
        LibCErrors.ENODEV => "The interface has gone",
        // The number differs by driver (veth: ERANGE, for its peer's MTU; virtio_net: EINVAL), so the MTU itself is the better witness.
        LibCErrors.ERANGE => MtuAdvice(device),
        LibCErrors.EINVAL or LibCErrors.EOPNOTSUPP or LibCErrors.E2BIG when device.Mtu > LargestMtu => MtuAdvice(device),
        LibCErrors.EOPNOTSUPP => "The driver has no native XDP, or not while large receive offload is on: `ethtool -K "
            + device.Name + " lro off gro_hw off`",
        LibCErrors.ENOSPC => $"The interface has {device.ReceiveQueues} receive queues, fewer than its veth peer has transmit queues: `ethtool -L {device.Name} rx N`",
        LibCErrors.ENOMEM => "Memory is short, or the driver wants as many queues again for XDP: `ethtool -L` with half of them",
        LibCErrors.ENOTCONN => "The veth's peer has gone",
        _ => "",
    };

    private static string MtuAdvice(Device device) =>
        $"Native XDP without multi-buffer takes an MTU of about {LargestMtu} at most (on a veth, its peer's); that of {device.Name} is {device.Mtu}: "
        + $"`ip link set dev {device.Name} mtu 1500`";
}
