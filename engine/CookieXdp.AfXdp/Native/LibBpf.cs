using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace CookieXdp.AfXdp.Native;

/// <summary>The imports from libbpf.so.1 (1.0 and later; written against Debian 12's 1.1). Nothing here interprets a result.</summary>
internal static unsafe partial class LibBpf
{
    private const string Library = "libbpf.so.1";

    [ThreadStatic] private static StringBuilder? _warnings;

    static LibBpf() => SetPrint(&Print);

    /// <summary>libbpf's warnings on this thread since the last call; it would otherwise write them to standard error.</summary>
    internal static string TakeWarnings()
    {
        var text = _warnings?.ToString().Trim() ?? "";
        _warnings?.Clear();
        return text;
    }

    /// <summary>What an error number says in words; libbpf has numbers of its own from 4000 on.</summary>
    internal static string Text(int errno)
    {
        const int firstOwn = 4000, size = 256;
        if (errno < firstOwn)
            return SystemCalls.Text(errno);
        var buffer = stackalloc byte[size];
        _ = ErrorText(errno, buffer, size);
        return Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(buffer));
    }

    // A va_list arrives as a pointer both on x86-64 (an array of one) and on arm64 (a structure of 32 bytes, passed by reference),
    // so that it can be handed on to vsnprintf as it came.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Print(int level, byte* format, void* arguments)
    {
        const int warning = 0, size = 2048, enough = 64 * 1024;
        if (level != warning || _warnings is { Length: > enough })
            return 0;
        var buffer = stackalloc byte[size];
        var length = SystemCalls.FormatToBuffer(buffer, size, format, arguments);
        if (length > 0)
            (_warnings ??= new()).Append(Encoding.UTF8.GetString(buffer, Math.Min(length, size - 1)));
        return length;
    }

    [LibraryImport(Library, EntryPoint = "libbpf_set_print")]
    private static partial void* SetPrint(delegate* unmanaged[Cdecl]<int, byte*, void*, int> print);

    [LibraryImport(Library, EntryPoint = "libbpf_strerror")]
    private static partial int ErrorText(int errno, byte* buffer, nuint size);

    [LibraryImport(Library, EntryPoint = "libbpf_num_possible_cpus")]
    internal static partial int PossibleCpus();

    [LibraryImport(Library, EntryPoint = "bpf_object__open_mem", SetLastError = true)]
    internal static partial void* ObjectOpen(void* bytes, nuint length, ObjectOpenOptions* options);

    [LibraryImport(Library, EntryPoint = "bpf_object__load")]
    internal static partial int ObjectLoad(void* bpfObject);

    [LibraryImport(Library, EntryPoint = "bpf_object__close")]
    internal static partial void ObjectClose(void* bpfObject);

    [LibraryImport(Library, EntryPoint = "bpf_object__find_map_by_name", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void* FindMap(void* bpfObject, string name);

    [LibraryImport(Library, EntryPoint = "bpf_object__find_program_by_name", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial void* FindProgram(void* bpfObject, string name);

    [LibraryImport(Library, EntryPoint = "bpf_map__fd")]
    internal static partial int MapFd(void* map);

    [LibraryImport(Library, EntryPoint = "bpf_map__type")]
    internal static partial int MapType(void* map);

    [LibraryImport(Library, EntryPoint = "bpf_map__key_size")]
    internal static partial uint MapKeySize(void* map);

    [LibraryImport(Library, EntryPoint = "bpf_map__value_size")]
    internal static partial uint MapValueSize(void* map);

    [LibraryImport(Library, EntryPoint = "bpf_map__max_entries")]
    internal static partial uint MapMaxEntries(void* map);

    [LibraryImport(Library, EntryPoint = "bpf_map__set_max_entries")]
    internal static partial int MapSetMaxEntries(void* map, uint count);

    [LibraryImport(Library, EntryPoint = "bpf_program__fd")]
    internal static partial int ProgramFd(void* program);

    // A SafeHandle travels as a pointer-sized integer; the callee reads its low half, where a descriptor fits.
    [LibraryImport(Library, EntryPoint = "bpf_map_update_elem")]
    internal static partial int MapUpdate(SafeHandle map, void* key, void* value, ulong flags);

    [LibraryImport(Library, EntryPoint = "bpf_map_lookup_elem")]
    internal static partial int MapLookup(SafeHandle map, void* key, void* value);

    [LibraryImport(Library, EntryPoint = "bpf_map_delete_elem")]
    internal static partial int MapDelete(SafeHandle map, void* key);

    [LibraryImport(Library, EntryPoint = "bpf_prog_test_run_opts")]
    internal static partial int ProgramTestRun(SafeHandle program, TestRunOptions* options);

    [LibraryImport(Library, EntryPoint = "bpf_link_create")]
    internal static partial int LinkCreate(SafeHandle program, int interfaceIndex, int attachType, LinkCreateOptions* options);

    [LibraryImport(Library, EntryPoint = "bpf_link_update")]
    internal static partial int LinkUpdate(SafeHandle link, SafeHandle program, void* options);

    [LibraryImport(Library, EntryPoint = "bpf_link_detach")]
    internal static partial int LinkDetach(SafeHandle link);

    [LibraryImport(Library, EntryPoint = "bpf_obj_get_info_by_fd")]
    internal static partial int ObjectInfo(SafeHandle bpfObject, void* info, uint* length);

    [LibraryImport(Library, EntryPoint = "bpf_obj_pin", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Pin(SafeHandle bpfObject, string path);

    [LibraryImport(Library, EntryPoint = "bpf_obj_get", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int OpenPin(string path);

    [LibraryImport(Library, EntryPoint = "bpf_xdp_query_id")]
    internal static partial int XdpQueryId(int interfaceIndex, int flags, uint* programId);
}

/// <summary>struct bpf_object_open_opts.</summary>
[StructLayout(LayoutKind.Explicit, Size = 80)]
internal unsafe struct ObjectOpenOptions
{
    [FieldOffset(0)] internal nuint Size;
    [FieldOffset(8)] internal byte* ObjectName;
    [FieldOffset(56)] internal byte* KernelLog;
    [FieldOffset(64)] internal nuint KernelLogSize;
    [FieldOffset(72)] internal uint KernelLogLevel;
}

/// <summary>struct bpf_link_create_opts up to the flags; libbpf takes the rest as zero.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct LinkCreateOptions
{
    [FieldOffset(0)] internal nuint Size;
    [FieldOffset(8)] internal uint Flags;
}

/// <summary>struct bpf_test_run_opts.</summary>
[StructLayout(LayoutKind.Explicit, Size = 80)]
internal unsafe struct TestRunOptions
{
    [FieldOffset(0)] internal nuint Size;
    [FieldOffset(8)] internal byte* DataIn;
    [FieldOffset(16)] internal byte* DataOut;
    [FieldOffset(24)] internal uint DataInLength;
    [FieldOffset(28)] internal uint DataOutLength;
    [FieldOffset(32)] internal void* ContextIn;
    [FieldOffset(40)] internal void* ContextOut;
    [FieldOffset(48)] internal uint ContextInLength;
    [FieldOffset(52)] internal uint ContextOutLength;
    [FieldOffset(56)] internal uint Result;
    [FieldOffset(60)] internal int Repeat;
    [FieldOffset(64)] internal uint Duration;
    [FieldOffset(68)] internal uint Flags;
    [FieldOffset(72)] internal uint Cpu;
    [FieldOffset(76)] internal uint BatchSize;
}
