using System.Runtime.InteropServices;
using Tmds.Linux;

namespace CookieXdp.AfXdp.Native;

/// <summary>
/// The raw system calls of this library, each returning its result or −errno. Through Tmds.LibC where that has the call and
/// reads errno right; what it lacks is declared at the end.
/// </summary>
internal static unsafe partial class SystemCalls
{
    internal static int Socket(int family, int type, int protocol) => OrError(LibC.socket(family, type, protocol));

    internal static int Bind(int fd, void* address, int length) => OrError(LibC.bind(fd, (sockaddr*)address, (uint)length));

    internal static int SetOption(int fd, int level, int name, void* value, int length) =>
        OrError(LibC.setsockopt(fd, level, name, value, (uint)length));

    internal static int SetOption(int fd, int level, int name, int value) => SetOption(fd, level, name, &value, sizeof(int));

    internal static int GetOption(int fd, int level, int name, void* value, ref int length)
    {
        socklen_t inOut = (uint)length;
        var result = OrError(LibC.getsockopt(fd, level, name, value, &inOut));
        length = (int)(uint)inOut;
        return result;
    }

    /// <summary>A readable, writable, shared map of a file descriptor, touched at once; null and <paramref name="error"/> (errno) on failure.</summary>
    internal static byte* MapRing(int fd, ulong length, ulong offset, out int error) =>
        Map(length, LibC.MAP_SHARED | LibC.MAP_POPULATE, fd, (long)offset, out error);

    /// <summary>Zeroed, private memory, faulted in at once; null and <paramref name="error"/> (errno) on failure.</summary>
    internal static byte* MapMemory(ulong length, out int error) =>
        Map(length, LibC.MAP_PRIVATE | LibC.MAP_ANONYMOUS | LibC.MAP_POPULATE, -1, 0, out error);

    internal static void Unmap(byte* memory, ulong length) => _ = LibC.munmap(memory, (size_t)length);

    internal static int LockMemory(byte* memory, ulong length) => OrError(LibC.mlock(memory, (size_t)length));

    internal static int Close(int fd) => OrError(LibC.close(fd));

    /// <summary>sendto without data: asks the kernel to look at the TX ring.</summary>
    internal static int KickTransmit(int fd)
    {
        long result = LibC.sendto(fd, null, 0, LibC.MSG_DONTWAIT, null, 0);
        return result >= 0 ? 0 : -LibC.errno;
    }

    /// <summary>recvfrom without a buffer: asks the driver to look at the fill ring.</summary>
    internal static int KickReceive(int fd)
    {
        long result = LibC.recvfrom(fd, null, 0, LibC.MSG_DONTWAIT, null, null);
        return result >= 0 ? 0 : -LibC.errno;
    }

    internal static int EventFd() => OrError(LibC.eventfd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK));

    internal static int Read(int fd, void* buffer, int length)
    {
        long result = LibC.read(fd, buffer, (size_t)(ulong)length);
        return result >= 0 ? (int)result : -LibC.errno;
    }

    internal static int Write(int fd, void* buffer, int length)
    {
        long result = LibC.write(fd, buffer, (size_t)(ulong)length);
        return result >= 0 ? (int)result : -LibC.errno;
    }

    internal static int Ioctl(int fd, int request, void* argument) => OrError(LibC.ioctl(fd, request, argument));

    internal static int DuplicateDescriptor(int fd) => OrError(LibC.fcntl(fd, FcntlDuplicateCloseOnExec, 0));

    /// <summary>Waits for events; may block, so the garbage collector must be able to go on meanwhile.</summary>
    internal static int Poll(PollEntry* entries, int count, int timeoutMilliseconds)
    {
        var result = NativePoll(entries, (nuint)count, timeoutMilliseconds);
        return result >= 0 ? result : -Marshal.GetLastPInvokeError();
    }

    /// <summary>The file system's magic number at a path, or −errno.</summary>
    internal static long FileSystemType(string path)
    {
        // struct statfs has 120 bytes on 64-bit Linux, and f_type comes first.
        var buffer = stackalloc long[32];
        return StatFileSystem(path, buffer) == 0 ? buffer[0] : -Marshal.GetLastPInvokeError();
    }

    /// <summary>What an errno says in words.</summary>
    internal static string Text(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    private const int FcntlDuplicateCloseOnExec = 1030;

    private static byte* Map(ulong length, int flags, int fd, long offset, out int error)
    {
        var memory = LibC.mmap(null, (size_t)length, LibC.PROT_READ | LibC.PROT_WRITE, flags, fd, offset);
        error = memory == LibC.MAP_FAILED ? LibC.errno : 0;
        return error == 0 ? (byte*)memory : null;
    }

    private static int OrError(int result) => result >= 0 ? result : -LibC.errno;

    // Tmds.LibC declares poll without SetLastError, so that an interrupted wait could not be told from a failed one.
    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int NativePoll(PollEntry* entries, nuint count, int timeoutMilliseconds);

    [LibraryImport("libc", EntryPoint = "statfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatFileSystem(string path, void* buffer);

    [LibraryImport("libc", EntryPoint = "vsnprintf")]
    internal static partial int FormatToBuffer(byte* buffer, nuint size, byte* format, void* arguments);
}
