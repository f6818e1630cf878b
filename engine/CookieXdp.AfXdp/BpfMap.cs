using System.Runtime.InteropServices;
using CookieXdp.AfXdp.Native;
using Microsoft.Win32.SafeHandles;

namespace CookieXdp.AfXdp;

/// <summary>
/// A map of a loaded <see cref="BpfObject"/>. Belongs to the object and ends with it. Any thread may use it; the kernel makes each
/// operation whole. Keys and values are the bytes that the BPF program sees.
/// </summary>
public sealed unsafe class BpfMap : IDisposable
{
    private const int LargestOnStack = 1024;
    private readonly SafeFileHandle _handle;
    private readonly bool _isPerCpu;

    internal BpfMap(string name, SafeFileHandle handle, int type, uint keySize, uint valueSize, uint maxEntries)
    {
        Name = name;
        _handle = handle;
        KeySize = (int)keySize;
        ValueSize = (int)valueSize;
        MaxEntries = (int)maxEntries;
        // BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE
        _isPerCpu = type is 5 or 6 or 10 or 21;
    }

    /// <summary>How many CPUs the kernel may ever have: as many values has each key of a per-CPU map.</summary>
    /// <exception cref="XdpException">The kernel does not tell.</exception>
    public static int PossibleCpus
    {
        get
        {
            var count = LibBpf.PossibleCpus();
            return count > 0 ? count : throw XdpException.Of("number of possible CPUs", -count);
        }
    }

    /// <summary>Its name in the object.</summary>
    public string Name { get; }

    /// <summary>Bytes of a key.</summary>
    public int KeySize { get; }

    /// <summary>Bytes of a value, on one CPU.</summary>
    public int ValueSize { get; }

    /// <summary>How many keys it holds at most.</summary>
    public int MaxEntries { get; }

    /// <summary>Sets a key's value.</summary>
    /// <exception cref="XdpException">The map is full, or the kernel refuses the key or the value.</exception>
    public void Update(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        CheckKey(key);
        if (_isPerCpu || value.Length != ValueSize)
            throw new ArgumentException($"BPF map {Name}: a value of {value.Length} bytes where {ValueSize * (_isPerCpu ? PossibleCpus : 1)} are right", nameof(value));
        fixed (byte* k = key, v = value)
            Succeeds(LibBpf.MapUpdate(_handle, k, v, BpfAbi.UpdateAny), "update");
    }

    /// <summary>Sets a key's value.</summary>
    /// <exception cref="XdpException">The map is full, or the kernel refuses the key or the value.</exception>
    public void Update<TKey, TValue>(TKey key, TValue value) where TKey : unmanaged where TValue : unmanaged =>
        Update(MemoryMarshal.AsBytes(new ReadOnlySpan<TKey>(in key)), MemoryMarshal.AsBytes(new ReadOnlySpan<TValue>(in value)));

    /// <summary>Puts a socket where an XDP program that redirects its queue's packets finds it (the map is an XSKMAP, its keys are queues).</summary>
    /// <exception cref="XdpException">The queue is beyond the map's size, or the socket is closed.</exception>
    public void SetSocket(int queue, XdpSocket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Update((uint)queue, socket.Fd);
    }

    /// <summary>Reads a key's value; false where the key is not there.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public bool TryLookup(ReadOnlySpan<byte> key, Span<byte> value)
    {
        CheckKey(key);
        if (_isPerCpu || value.Length != ValueSize)
            throw new ArgumentException($"BPF map {Name}: room for {value.Length} bytes where a value has {ValueSize}{(_isPerCpu ? " on each CPU" : "")}", nameof(value));
        fixed (byte* k = key, v = value)
            return Found(LibBpf.MapLookup(_handle, k, v), "lookup");
    }

    /// <summary>Reads a key's value; false where the key is not there.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public bool TryLookup<TKey, TValue>(TKey key, out TValue value) where TKey : unmanaged where TValue : unmanaged
    {
        value = default;
        return TryLookup(MemoryMarshal.AsBytes(new ReadOnlySpan<TKey>(in key)), MemoryMarshal.AsBytes(new Span<TValue>(ref value)));
    }

    /// <summary>Removes a key; false where it was not there.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public bool Delete(ReadOnlySpan<byte> key)
    {
        CheckKey(key);
        fixed (byte* k = key)
            return Found(LibBpf.MapDelete(_handle, k), "delete");
    }

    /// <summary>Removes a key; false where it was not there.</summary>
    /// <exception cref="XdpException">The kernel refuses.</exception>
    public bool Delete<TKey>(TKey key) where TKey : unmanaged => Delete(MemoryMarshal.AsBytes(new ReadOnlySpan<TKey>(in key)));

    /// <summary>The sum over all CPUs of one 64-bit counter of a per-CPU array.</summary>
    /// <exception cref="XdpException">The index is beyond the array.</exception>
    public ulong SumPerCpu(uint index)
    {
        if (!_isPerCpu || ValueSize != sizeof(ulong) || KeySize != sizeof(uint))
            throw new InvalidOperationException($"BPF map {Name} is no per-CPU array of 64-bit counters");
        var cpus = PossibleCpus;
        var values = cpus <= LargestOnStack ? stackalloc ulong[cpus] : new ulong[cpus];
        fixed (ulong* v = values)
            Succeeds(LibBpf.MapLookup(_handle, &index, v), $"lookup of {index}");
        var sum = 0UL;
        foreach (var value in values)
            sum += value;
        return sum;
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private void CheckKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeySize)
            throw new ArgumentException($"BPF map {Name}: a key of {key.Length} bytes where {KeySize} are right", nameof(key));
    }

    private bool Found(int error, string operation)
    {
        if (error == -LibCErrors.ENOENT)
            return false;
        Succeeds(error, operation);
        return true;
    }

    private void Succeeds(int error, string operation)
    {
        if (error < 0)
            throw XdpException.Of($"BPF map {Name}: {operation}", -error, -error == LibCErrors.E2BIG ? $"It is full: it holds {MaxEntries} keys at most" : "");
    }
}
