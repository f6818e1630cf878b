using Microsoft.Win32.SafeHandles;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// A flow file that this process has opened or made: locked, reserved, mapped. It holds a header and the entries and nothing else. Only its owner
/// may read it (who knows its secrets can choose where flows fall), and one process at a time has it.
/// </summary>
internal sealed unsafe class FlowFile : IDisposable
{
    /// <summary>Behind a file's name while it is being made: until it is whole it does not stand in its place.</summary>
    private const string NewSuffix = ".new";

    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    private readonly SafeFileHandle _handle;
    private readonly string _path;
    private byte* _memory;
    private nuint _length;

    private FlowFile(SafeFileHandle handle, string path)
    {
        _handle = handle;
        _path = path;
    }

    /// <summary>What its first page says.</summary>
    internal FlowFileHeader Header { get; private set; } = null!;

    /// <summary>Opens the file that an engine before has left.</summary>
    /// <returns>It, or null where there is none.</returns>
    /// <exception cref="InvalidDataException">What stands there is not to be trusted; the message says why.</exception>
    /// <exception cref="IOException">Another process has it, or there is no room.</exception>
    internal static FlowFile? TryOpen(string path, uint now)
    {
        var fd = FlowSystemCalls.Open(path);
        if (fd == -FlowSystemCalls.NoSuchFile)
            return null;
        if (fd < 0)
            throw new InvalidDataException(fd == -FlowSystemCalls.TooManyLinks ? "it is a symbolic link" : $"it cannot be opened: {FlowSystemCalls.Text(fd)}");
        var file = new FlowFile(new SafeFileHandle(fd, ownsHandle: true), path);
        try
        {
            file.Load(now);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes a file beside its place: empty, and not there for others before <see cref="PutInPlace"/>.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    internal static FlowFile Create(string path, int capacity, uint created, in FlowHash hash)
    {
        var temporary = path + NewSuffix;
        // Left behind by an engine that was killed, for else another process would have the lock of the file in its place.
        File.Delete(temporary);
        var fd = FlowSystemCalls.CreateNew(temporary);
        if (fd < 0)
            throw new IOException($"flow table {path}: cannot be made: {FlowSystemCalls.Text(fd)}");
        var file = new FlowFile(new SafeFileHandle(fd, ownsHandle: true), path) { Header = new(capacity, ReadBootId(), created, hash) };
        try
        {
            file.Lock();
            file.Map(FlowFileHeader.FileLengthOf(capacity));
            file.Header.ToBytes().CopyTo(new Span<byte>(file._memory, FlowFileHeader.Length));
            return file;
        }
        catch
        {
            file.Dispose();
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>The entries, which dispose the file.</summary>
    internal FlowMemory ToMemory() => new(this, (Flow*)(_memory + FlowFileHeader.Length), Header.Capacity, Header.Hash, Header.Created);

    /// <summary>Puts a file that was made into its place, over what stands there.</summary>
    internal void PutInPlace() => Rename(_path + NewSuffix, _path);

    /// <summary>Takes what stands in a flow file's place out of the way.</summary>
    /// <returns>Its new name; what had that name before is gone, for each may be as large as the table.</returns>
    /// <exception cref="IOException">It cannot be renamed.</exception>
    internal static string SetAside(string path)
    {
        var aside = path + ".set-aside";
        Rename(path, aside);
        return aside;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_memory != null)
            FlowSystemCalls.Unmap(_memory, _length);
        _memory = null;
        _handle.Dispose();
    }

    private void Load(uint now)
    {
        var error = FlowSystemCalls.Stat(Descriptor, out var facts);
        if (error < 0)
            throw new InvalidDataException($"it cannot be looked at: {FlowSystemCalls.Text(error)}");
        if (!facts.IsRegular)
            throw new InvalidDataException("it is no regular file");
        if (facts.User != FlowSystemCalls.User())
            throw new InvalidDataException($"it belongs to user {facts.User}, not to {FlowSystemCalls.User()}");
        if (facts.IsOpenToOthers)
            throw new InvalidDataException($"others than its owner may read or change it (mode {Convert.ToString(facts.Mode & 0xFFF, 8)})");
        if (facts.Links != 1)
            throw new InvalidDataException($"it has {facts.Links} names");
        Lock();
        // Read, not mapped, until it is known to have as many bytes as it must.
        var page = new byte[FlowFileHeader.Length];
        var read = RandomAccess.Read(_handle, page, 0);
        Header = FlowFileHeader.Read(page.AsSpan(0, read), facts.Length, ReadBootId(), now);
        Map(facts.Length);
    }

    private void Lock()
    {
        var error = FlowSystemCalls.Lock(Descriptor);
        if (error < 0)
            throw new IOException($"flow table {_path}: {(error == -FlowSystemCalls.WouldBlock ? "another process has it; give each engine a file of its own (edge.flowFile)" : FlowSystemCalls.Text(error))}");
    }

    private void Map(long length)
    {
        // Also of a file that was there: one with holes would need room when it is written to.
        var error = FlowSystemCalls.Reserve(Descriptor, length);
        if (error < 0)
            throw new IOException($"flow table {_path}: {length >> 20} MiB cannot be had there: {FlowSystemCalls.Text(error)}. Make room (a larger /dev/shm), or give it fewer flows (edge.flows)");
        _length = (nuint)length;
        _memory = FlowSystemCalls.Map(Descriptor, _length, out error);
        if (_memory == null)
            throw new IOException($"flow table {_path}: {length >> 20} MiB cannot be mapped: {FlowSystemCalls.Text(error)}");
    }

    private int Descriptor => (int)_handle.DangerousGetHandle();

    private static Guid ReadBootId() => Guid.Parse(File.ReadAllText(BootIdFile).Trim());

    private static void Rename(string from, string to)
    {
        var error = FlowSystemCalls.Rename(from, to);
        if (error < 0)
            throw new IOException($"flow table: {from} cannot be renamed to {to}: {FlowSystemCalls.Text(error)}. Remove it, or name another file (edge.flowFile)");
    }
}
