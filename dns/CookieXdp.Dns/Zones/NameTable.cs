using System.Numerics;
using System.Runtime.InteropServices;

namespace CookieXdp.Dns.Zones;

/// <summary>An immutable hash table from names to what is known of them, asked with the lower-case wire form and no allocation.</summary>
internal sealed class NameTable<T>
    where T : class
{
    // Which lengths occur: most of a query name's suffixes are then told absent without hashing them.
    private readonly bool[] _lengths = new bool[Messages.Wire.MaxNameLength + 1];
    private readonly byte[]?[] _names;
    private readonly T?[] _values;
    private readonly int _mask;

    /// <summary>With all its names.</summary>
    internal NameTable(IReadOnlyCollection<KeyValuePair<DnsName, T>> content)
    {
        // At most half full: a miss ends after two steps, as names cannot be chosen by who asks.
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, content.Count * 2));
        _mask = size - 1;
        _names = new byte[]?[size];
        _values = new T?[size];
        foreach (var (name, value) in content)
        {
            var slot = Hash(name.Lower) & _mask;
            while (_names[slot] is not null)
                slot = (slot + 1) & _mask;
            _names[slot] = name.Lower.ToArray();
            _values[slot] = value;
            _lengths[name.Lower.Length] = true;
        }
    }

    /// <summary>What is known of a name, or null.</summary>
    /// <param name="lower">The name in wire format and lower case.</param>
    internal T? Find(ReadOnlySpan<byte> lower)
    {
        if (!_lengths[lower.Length])
            return null;
        for (var slot = Hash(lower) & _mask; _names[slot] is { } name; slot = (slot + 1) & _mask)
        {
            if (lower.SequenceEqual(name))
                return _values[slot];
        }
        return null;
    }

    /// <summary>What is known of the longest suffix of a name, the name itself included, or null.</summary>
    /// <param name="lower">The name in wire format and lower case.</param>
    /// <param name="suffixAt">Where the suffix begins.</param>
    internal T? FindLongest(ReadOnlySpan<byte> lower, out int suffixAt)
    {
        for (suffixAt = 0; ; suffixAt += 1 + lower[suffixAt])
        {
            if (Find(lower[suffixAt..]) is { } value)
                return value;
            if (lower[suffixAt] == 0)
                return null;
        }
    }

    private static int Hash(ReadOnlySpan<byte> name)
    {
        const ulong multiplier = 0x9E3779B97F4A7C15;
        var hash = (ulong)name.Length * multiplier;
        while (name.Length >= sizeof(ulong))
        {
            hash = (hash ^ MemoryMarshal.Read<ulong>(name)) * multiplier;
            hash ^= hash >> 32;
            name = name[sizeof(ulong)..];
        }
        foreach (var value in name)
            hash = (hash ^ value) * multiplier;
        return (int)(hash >> 33);
    }
}
