using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane.Flows;

/// <summary>The system calls of the flow file, each returning its result or −errno.</summary>
internal static unsafe partial class FlowSystemCalls
{
    internal const int NoSuchFile = 2; // ENOENT
    internal const int Interrupted = 4; // EINTR
    internal const int WouldBlock = 11; // EWOULDBLOCK
    internal const int TooManyLinks = 40; // ELOOP: the file is a symbolic link, with O_NOFOLLOW

    private const int ReadWrite = 0x2; // O_RDWR
    private const int Create = 0x40; // O_CREAT
    private const int Exclusive = 0x80; // O_EXCL
    private const int NonBlocking = 0x800; // O_NONBLOCK: a FIFO in the file's place does not hold the opening up
    private const int CloseOnExec = 0x80000; // O_CLOEXEC
    private const int LockExclusive = 0x2 | 0x4; // LOCK_EX | LOCK_NB
    private const int ProtectionReadWrite = 0x1 | 0x2;
    private const int MapShared = 0x1;
    private const int MapPrivateAnonymous = 0x2 | 0x20;
    private const int MapPopulate = 0x8000;
    private const int AdviceHugePage = 14; // MADV_HUGEPAGE
    private const int ClockBootTime = 7; // CLOCK_BOOTTIME
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const uint BasicStatistics = 0x7FF; // STATX_BASIC_STATS

    // O_NOFOLLOW is one of the few flags whose value differs: asm-generic/fcntl.h and arch/arm64/include/uapi/asm/fcntl.h.
    private static int NoFollow => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    /// <summary>Seconds since the machine started, those it was suspended included.</summary>
    internal static uint SecondsSinceBoot()
    {
        var time = stackalloc long[2];
        _ = NativeClock(ClockBootTime, time);
        return (uint)time[0];
    }

    internal static int Open(string path) => OrError(NativeOpen(path, ReadWrite | NonBlocking | CloseOnExec | NoFollow, 0));

    /// <summary>Makes a file that nobody else may read; fails where there is one.</summary>
    internal static int CreateNew(string path) => OrError(NativeOpen(path, ReadWrite | Create | Exclusive | CloseOnExec | NoFollow, 0x180));

    internal static int Lock(int fd) => OrError(NativeLock(fd, LockExclusive));

    /// <summary>Reserves all of a file's bytes: writing to a map of a file that the file system has no room for ends the process (SIGBUS).</summary>
    internal static int Reserve(int fd, long length)
    {
        int error;
        do
            error = NativeAllocate(fd, 0, length); // it returns errno itself
        while (error == Interrupted);
        return -error;
    }

    internal static int Rename(string from, string to) => OrError(NativeRename(from, to));

    internal static uint User() => NativeUser();

    /// <summary>What a descriptor is; 0 or −errno.</summary>
    internal static int Stat(int fd, out FileFacts facts)
    {
        // struct statx is the same on every architecture (linux/stat.h).
        var buffer = stackalloc byte[256];
        var result = OrError(NativeStat(fd, "", EmptyPath, BasicStatistics, buffer));
        facts = new FileFacts(*(uint*)(buffer + 20), *(ushort*)(buffer + 28), *(uint*)(buffer + 16), *(long*)(buffer + 40));
        return result;
    }

    /// <summary>Maps a file, shared, all of it touched at once and kept in memory where the limits allow; null and −errno on failure.</summary>
    internal static byte* Map(int fd, nuint length, out int error)
    {
        var memory = NativeMap(null, length, ProtectionReadWrite, MapShared | MapPopulate, fd, 0);
        error = memory == (void*)-1 ? -Marshal.GetLastPInvokeError() : 0;
        if (error != 0)
            return null;
        Keep((byte*)memory, length);
        return (byte*)memory;
    }

    /// <summary>Zeroed memory of this process, on large pages where the kernel has them; null where there is none.</summary>
    internal static byte* MapPrivate(nuint length)
    {
        var memory = NativeMap(null, length, ProtectionReadWrite, MapPrivateAnonymous, -1, 0);
        if (memory == (void*)-1)
            return null;
        Keep((byte*)memory, length);
        NativeMemory.Clear(memory, length); // touches it
        return (byte*)memory;
    }

    internal static void Unmap(byte* memory, nuint length) => _ = NativeUnmap(memory, length);

    /// <summary>What an errno says in words.</summary>
    internal static string Text(int error) => Marshal.GetPInvokeErrorMessage(-error);

    private static void Keep(byte* memory, nuint length)
    {
        // Both only make it faster; where a limit or the kernel's build refuses, it works all the same.
        _ = NativeAdvise(memory, length, AdviceHugePage);
        _ = NativeLockMemory(memory, length);
    }

    private static int OrError(int result) => result >= 0 ? result : -Marshal.GetLastPInvokeError();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeOpen(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int NativeLock(int fd, int operation);

    [LibraryImport("libc", EntryPoint = "posix_fallocate")]
    private static partial int NativeAllocate(int fd, long offset, long length);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeRename(string from, string to);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint NativeUser();

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int NativeStat(int fd, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* NativeMap(void* address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int NativeUnmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int NativeAdvise(void* address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "mlock")]
    private static partial int NativeLockMemory(void* address, nuint length);

    // It never blocks, and is answered without entering the kernel.
    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [SuppressGCTransition]
    private static partial int NativeClock(int clock, long* time);
}

/// <summary>What the kernel says of a file.</summary>
/// <param name="User">Its owner.</param>
/// <param name="Mode">Type and permissions, as st_mode.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Length">Its bytes.</param>
internal readonly record struct FileFacts(uint User, ushort Mode, uint Links, long Length)
{
    internal bool IsRegular => (Mode & 0xF000) == 0x8000;

    internal bool IsOpenToOthers => (Mode & 0x3F) != 0;
}
