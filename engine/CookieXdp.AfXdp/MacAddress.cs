using System.Globalization;
using System.Runtime.CompilerServices;

namespace CookieXdp.AfXdp;

/// <summary>The six bytes of an Ethernet address, in the order in which they travel. Converts to a span of them.</summary>
[InlineArray(Length)]
public struct MacAddress : IEquatable<MacAddress>
{
    /// <summary>Bytes of an Ethernet address.</summary>
    public const int Length = 6;

    private byte _first;

    /// <summary>Takes the first six bytes of a span.</summary>
    /// <exception cref="ArgumentException">There are fewer.</exception>
    public MacAddress(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Length)
            throw new ArgumentException($"an Ethernet address has {Length} bytes, not {bytes.Length}", nameof(bytes));
        bytes[..Length].CopyTo(this);
    }

    /// <inheritdoc/>
    public readonly bool Equals(MacAddress other) => ((ReadOnlySpan<byte>)this).SequenceEqual(other);

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is MacAddress other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(this);
        return hash.ToHashCode();
    }

    /// <summary>Six pairs of hexadecimal digits, with colons.</summary>
    public override readonly string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{this[0]:x2}:{this[1]:x2}:{this[2]:x2}:{this[3]:x2}:{this[4]:x2}:{this[5]:x2}");

    /// <summary>Whether all six bytes are equal.</summary>
    public static bool operator ==(MacAddress left, MacAddress right) => left.Equals(right);

    /// <summary>Whether any byte differs.</summary>
    public static bool operator !=(MacAddress left, MacAddress right) => !left.Equals(right);
}
