using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using CookieXdp.AfXdp.Native;
using Microsoft.Win32.SafeHandles;

namespace CookieXdp.AfXdp;

/// <summary>
/// A compiled BPF object (an ELF file with BTF): opened, its maps' sizes set, then loaded. libbpf's warnings and the verifier's words go
/// into the exceptions, not to standard error.
/// </summary>
public sealed unsafe class BpfObject : IDisposable
{
    private const int LogSize = 1 << 20;
    private const int LogLinesShown = 24;

    private readonly Dictionary<string, BpfMap> _maps = new(StringComparer.Ordinal);
    private readonly Dictionary<string, BpfProgram> _programs = new(StringComparer.Ordinal);
    private void* _object;
    private byte* _log;
    private bool _isLoaded;

    private BpfObject(string name) => Name = name;

    /// <summary>The name it was opened with.</summary>
    public string Name { get; }

    /// <summary>Reads an object; nothing is in the kernel yet.</summary>
    /// <param name="elf">The bytes of the ELF file; not needed after this call.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="XdpException">It is no BPF object, or libbpf.so.1 is not there.</exception>
    public static BpfObject Open(ReadOnlySpan<byte> elf, string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var opened = new BpfObject(name);
        // libelf wants its structures aligned, and an embedded resource may begin anywhere.
        var copy = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(elf.Length, 1), 64);
        var nameBytes = Marshal.StringToCoTaskMemUTF8(name);
        try
        {
            elf.CopyTo(new(copy, elf.Length));
            opened._log = (byte*)NativeMemory.AllocZeroed(LogSize);
            var options = new ObjectOpenOptions
            {
                Size = (nuint)sizeof(ObjectOpenOptions),
                ObjectName = (byte*)nameBytes,
                KernelLog = opened._log,
                KernelLogSize = LogSize,
            };
            _ = LibBpf.TakeWarnings();
            opened._object = LibBpf.ObjectOpen(copy, (nuint)elf.Length, &options);
            if (opened._object == null)
                throw opened.Failure("is no BPF object that libbpf can open", Marshal.GetLastPInvokeError());
            return opened;
        }
        catch (Exception e) when (e is DllNotFoundException or TypeInitializationException { InnerException: DllNotFoundException })
        {
            opened.Dispose();
            throw new XdpException($"BPF object {name}: libbpf.so.1 is not there; it is in the package libbpf1");
        }
        catch
        {
            opened.Dispose();
            throw;
        }
        finally
        {
            Marshal.FreeCoTaskMem(nameBytes);
            NativeMemory.AlignedFree(copy);
        }
    }

    /// <summary>Sets how many keys a map holds. Before <see cref="Load"/> only.</summary>
    /// <exception cref="XdpException">There is no such map, or libbpf refuses the number.</exception>
    public void SetMaxEntries(string map, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var error = LibBpf.MapSetMaxEntries(FindMap(map), (uint)count);
        if (error < 0)
            throw Failure(string.Create(CultureInfo.InvariantCulture, $"map {map} cannot have {count} entries"), -error);
    }

    /// <summary>Makes the maps and has the kernel verify and load the programs.</summary>
    /// <exception cref="XdpException">The kernel refuses; the message ends with what the verifier said.</exception>
    public void Load()
    {
        ObjectDisposedException.ThrowIf(_object == null, this);
        _ = LibBpf.TakeWarnings();
        var error = LibBpf.ObjectLoad(_object);
        if (error < 0)
            throw Failure(-error is LibCErrors.EPERM or LibCErrors.EACCES && _log[0] == 0
                ? "cannot be loaded; CAP_BPF and CAP_NET_ADMIN are needed" : "cannot be loaded", -error);
        _isLoaded = true;
        FreeLog();
    }

    /// <summary>A map by its name in the object. After <see cref="Load"/> only.</summary>
    /// <exception cref="XdpException">There is none of that name.</exception>
    public BpfMap Map(string name)
    {
        lock (_maps)
        {
            if (_maps.TryGetValue(name, out var known))
                return known;
            var map = FindMap(name);
            ThrowIfNotLoaded();
            var handle = Duplicate(LibBpf.MapFd(map), name);
            return _maps[name] = new(name, handle, LibBpf.MapType(map), LibBpf.MapKeySize(map), LibBpf.MapValueSize(map), LibBpf.MapMaxEntries(map));
        }
    }

    /// <summary>A program by its function's name. After <see cref="Load"/> only.</summary>
    /// <exception cref="XdpException">There is none of that name.</exception>
    public BpfProgram Program(string name)
    {
        lock (_maps)
        {
            if (_programs.TryGetValue(name, out var known))
                return known;
            ObjectDisposedException.ThrowIf(_object == null, this);
            ThrowIfNotLoaded();
            var program = LibBpf.FindProgram(_object, name);
            if (program == null)
                throw new XdpException($"BPF object {Name}: has no program {name}");
            return _programs[name] = new(name, Duplicate(LibBpf.ProgramFd(program), name));
        }
    }

    /// <summary>Lets go of programs and maps. The kernel keeps those that an attached link still needs.</summary>
    public void Dispose()
    {
        lock (_maps)
        {
            foreach (var map in _maps.Values)
                map.Dispose();
            foreach (var program in _programs.Values)
                program.Dispose();
            if (_object != null)
                LibBpf.ObjectClose(_object);
            _object = null;
            FreeLog();
        }
    }

    private void* FindMap(string name)
    {
        ObjectDisposedException.ThrowIf(_object == null, this);
        var map = LibBpf.FindMap(_object, name);
        return map != null ? map : throw new XdpException($"BPF object {Name}: has no map {name}");
    }

    // A descriptor of one's own, so that a scrape that reads a map while the object closes reads no stranger's file.
    private SafeFileHandle Duplicate(int fd, string name)
    {
        var own = fd < 0 ? fd : SystemCalls.DuplicateDescriptor(fd);
        return own >= 0 ? new((nint)own, ownsHandle: true) : throw XdpException.Of($"BPF object {Name}: {name}", -own);
    }

    private void ThrowIfNotLoaded()
    {
        if (!_isLoaded)
            throw new InvalidOperationException($"the BPF object {Name} is not loaded yet");
    }

    private XdpException Failure(string what, int errno)
    {
        var message = new StringBuilder($"BPF object {Name}: {what}: {LibBpf.Text(errno)}");
        var log = _log == null ? "" : Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(_log));
        AppendTail(message, log);
        AppendTail(message, LibBpf.TakeWarnings());
        return new(message.ToString(), errno);
    }

    // The verifier explains itself at the end, after a page or a hundred of register states.
    private static void AppendTail(StringBuilder message, string text)
    {
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (var line in lines.Skip(Math.Max(0, lines.Length - LogLinesShown)))
            message.Append("\n  ").Append(line);
    }

    private void FreeLog()
    {
        // libbpf keeps the address for as long as it may load; afterwards nothing writes there.
        NativeMemory.Free(_log);
        _log = null;
    }
}
