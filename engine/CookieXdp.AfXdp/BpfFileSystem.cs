using CookieXdp.AfXdp.Native;

namespace CookieXdp.AfXdp;

/// <summary>The bpffs, where BPF links are pinned.</summary>
public static class BpfFileSystem
{
    /// <summary>Whether a path lies in a mounted bpffs. `ip netns exec` hides the one of the system.</summary>
    public static bool Holds(string path) => SystemCalls.FileSystemType(path) == BpfAbi.FileSystemMagic;

    /// <summary>Makes the folder of a pin.</summary>
    /// <exception cref="XdpException">It is not in a bpffs, or cannot be made.</exception>
    internal static void PrepareFolderOf(string pinPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(pinPath);
        var folder = Path.GetDirectoryName(Path.GetFullPath(pinPath))!;
        var existing = folder;
        while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is { } parent)
            existing = parent;
        // Asked before a folder is made, lest it be made on a disk.
        if (!Holds(existing))
            throw new XdpException($"{pinPath}: {existing} is not in a bpffs; `mount -t bpf bpf {MountPoint(existing)}` mounts one");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new XdpException($"{pinPath}: the folder cannot be made: {e.Message}");
        }
    }

    internal static string Advice(int errno, string path) => errno switch
    {
        LibCErrors.EPERM or LibCErrors.EACCES => "CAP_BPF, and access to the path, are needed",
        LibCErrors.EEXIST => "Something is pinned there already",
        _ when !Holds(Path.GetDirectoryName(Path.GetFullPath(path)) ?? "/") => $"It is not in a bpffs; `mount -t bpf bpf {MountPoint(path)}` mounts one",
        _ => "",
    };

    // Where bpffs usually is, if the path lies there; else the folder itself.
    private static string MountPoint(string path) => path.StartsWith("/sys", StringComparison.Ordinal) ? "/sys/fs/bpf" : path;
}
