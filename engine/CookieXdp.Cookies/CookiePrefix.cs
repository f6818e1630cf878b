using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies;

/// <summary>The /48 given to the protected services: the first six bytes of every minted address.</summary>
public readonly record struct CookiePrefix
{
    /// <summary>Bytes of the prefix in an address.</summary>
    public const int ByteLength = 6;

    private readonly ulong _bits;

    private CookiePrefix(ulong bits) => _bits = bits;

    /// <summary>The prefix as a number of 48 bits, the address's first byte the most significant.</summary>
    public ulong Bits => _bits;

    /// <summary>The prefix that an address lies in.</summary>
    /// <param name="address">An IPv6 address of 16 bytes, or its first six, in network byte order.</param>
    public static CookiePrefix Of(ReadOnlySpan<byte> address) =>
        new(((ulong)BinaryPrimitives.ReadUInt32BigEndian(address) << 16) | BinaryPrimitives.ReadUInt16BigEndian(address[4..]));

    /// <summary>Writes the six bytes of the prefix, in network byte order.</summary>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)(_bits >> 16));
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], (ushort)_bits);
    }

    /// <summary>Whether an address of 16 bytes in network byte order lies in the prefix.</summary>
    public bool Contains(ReadOnlySpan<byte> address) => Of(address)._bits == _bits;

    /// <summary>Whether an address, its 16 bytes in network byte order, lies in the prefix.</summary>
    public bool Contains(Vector128<byte> address) => BinaryPrimitives.ReverseEndianness(address.AsUInt64().ToScalar()) >> 16 == _bits;

    /// <summary>Reads <c>2001:db8:25::/48</c>. Anything but an IPv6 /48 of zero host bits is refused.</summary>
    /// <param name="text">The prefix in text.</param>
    /// <param name="prefix">The prefix, where it could be read.</param>
    /// <param name="error">What is wrong and what would be right, where it could not.</param>
    public static bool TryParse(string text, out CookiePrefix prefix, [NotNullWhen(false)] out string? error)
    {
        ArgumentNullException.ThrowIfNull(text);
        prefix = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || text[slash..] is not "/48")
        {
            error = $"'{text}' is not an IPv6 /48: write it as 2001:db8:25::/48";
            return false;
        }
        if (!AddressText.TryParse(text.AsSpan(0, slash), out var address) || address.AddressFamily != AddressFamily.InterNetworkV6)
        {
            error = $"'{text}' is not an IPv6 /48: '{text[..slash]}' is no IPv6 address";
            return false;
        }
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        if (bytes[ByteLength..].ContainsAnyExcept((byte)0))
        {
            error = $"'{text}' has bits set behind the /48: did you mean {Of(bytes)}?";
            return false;
        }
        prefix = Of(bytes);
        error = null;
        return true;
    }

    /// <summary>Reads <c>2001:db8:25::/48</c>.</summary>
    /// <exception cref="FormatException">The text is no IPv6 /48; the message says what would be right.</exception>
    public static CookiePrefix Parse(string text) =>
        TryParse(text, out var prefix, out var error) ? prefix : throw new FormatException(error);

    /// <summary>The prefix in the form <c>2001:db8:25::/48</c>.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        CopyTo(bytes);
        return $"{new IPAddress(bytes)}/48";
    }
}
