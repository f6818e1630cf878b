using System.Runtime.InteropServices;

namespace CookieXdp.Lab;

/// <summary>The few calls of the C library that .NET has no word for.</summary>
internal static partial class SystemCalls
{
    /// <summary>SIGKILL.</summary>
    internal const int Kill = 9;

    /// <summary>SIGTERM.</summary>
    internal const int Terminate = 15;

    private const int CloneNewNet = 0x40000000; // CLONE_NEWNET, linux/sched.h
    private const int CloseOnExec = 0x80000; // O_CLOEXEC, asm-generic/fcntl.h

    /// <summary>Whether this process may do everything.</summary>
    internal static bool IsRoot => geteuid() == 0;

    /// <summary>Sends a signal to a process, or to a process group where its id is negated; one that is gone already is no error.</summary>
    internal static void Signal(int process, int signal) => _ = kill(process, signal);

    /// <summary>Gives a file or folder to a user, and to the group of the same number.</summary>
    internal static void GiveTo(string path, int user)
    {
        if (chown(path, user, user) != 0)
            throw new LabException($"{path} cannot be given to user {user}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Moves the calling thread into a network namespace, for good.</summary>
    internal static void EnterNetwork(string path)
    {
        var descriptor = open(path, CloseOnExec);
        if (descriptor < 0)
            throw new LabException($"{path} cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");
        var result = setns(descriptor, CloneNewNet);
        var problem = Marshal.GetLastPInvokeErrorMessage();
        _ = close(descriptor);
        if (result != 0)
            throw new LabException($"{path} cannot be entered: {problem}");
    }

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int chown(string path, int owner, int group);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int setns(int descriptor, int kind);

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int close(int descriptor);
}
