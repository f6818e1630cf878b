using System.Buffers.Binary;
using System.Net;

namespace CookieXdp.Cookies;

/// <summary>
/// A resolver's address as the cookie keeps it: an IPv4 address whole, an IPv6 address of 2000::/3 to its /44.
/// Anything else (loopback, unique local, link-local) is <see cref="Unknown"/>.
/// </summary>
public readonly record struct ResolverNetwork
{
    /// <summary>Bits of <see cref="Bits"/>.</summary>
    public const int NetworkBits = 41;

    private const int Ipv4Shift = NetworkBits - 32;
    private const ulong NetworkMask = (1UL << NetworkBits) - 1;

    private readonly ulong _value;

    private ResolverNetwork(ulong value) => _value = value;

    /// <summary>A resolver that the cookie cannot tell: family 0, network 0.</summary>
    public static ResolverNetwork Unknown => default;

    /// <summary>False for IPv4 and <see cref="Unknown"/>, true for IPv6: the cookie's family bit.</summary>
    public bool IsIpv6 => _value >> NetworkBits != 0;

    /// <summary>Whether the resolver is known at all.</summary>
    public bool IsKnown => _value != 0;

    /// <summary>
    /// The cookie's network field, 41 bits: an IPv4 address followed by nine zero bits, or bits 3–43 of an IPv6 address.
    /// </summary>
    public ulong Bits => _value & NetworkMask;

    /// <summary>The IPv4 address as a number, its first byte the most significant; only where <see cref="IsIpv6"/> is false.</summary>
    public uint Ipv4 => (uint)(_value >> Ipv4Shift);

    /// <summary>The first 64 bits of the IPv6 network; only where <see cref="IsIpv6"/> is true.</summary>
    public ulong Ipv6High => 1UL << 61 | Bits << 20;

    /// <summary>From the cookie's own fields.</summary>
    /// <returns>False where they cannot come from a minted cookie: family 0 with any of its nine last bits set.</returns>
    public static bool TryFromBits(bool isIpv6, ulong network, out ResolverNetwork result)
    {
        result = new((isIpv6 ? 1UL << NetworkBits : 0) | (network & NetworkMask));
        return isIpv6 | (network & ((1UL << Ipv4Shift) - 1)) == 0;
    }

    /// <summary>Family and network as they stand in the cookie: the family bit above the network's 41.</summary>
    internal ulong Value => _value;

    internal static ResolverNetwork FromValue(ulong value) => new(value);

    /// <summary>From an IPv4 address as a number, its first byte the most significant.</summary>
    public static ResolverNetwork FromIpv4(uint address) => new((ulong)address << Ipv4Shift);

    /// <summary>From an address of 4 or 16 bytes in network byte order; an IPv4-mapped one counts as IPv4.</summary>
    public static ResolverNetwork FromAddress(ReadOnlySpan<byte> address)
    {
        if (address.Length == 4)
            return FromIpv4(BinaryPrimitives.ReadUInt32BigEndian(address));
        var high = BinaryPrimitives.ReadUInt64BigEndian(address);
        if (high >> 61 == 1)
            return new(1UL << NetworkBits | (high >> 20 & NetworkMask));
        var low = BinaryPrimitives.ReadUInt64BigEndian(address[8..]);
        return high == 0 && low >> 32 == 0xFFFF ? FromIpv4((uint)low) : Unknown;
    }

    /// <summary>From an address; an IPv4-mapped one counts as IPv4. Allocates nothing.</summary>
    public static ResolverNetwork FromAddress(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var written);
        return FromAddress(bytes[..written]);
    }

    /// <summary>
    /// <c>192.0.2.53</c>, or with ecs <c>192.0.2.0/24</c>; <c>2001:db8:1230::/44</c>; null where unknown.
    /// </summary>
    /// <param name="ecs">Whether the network came from EDNS Client Subnet, of which an answer's scope keeps /24.</param>
    public string? Describe(bool ecs)
    {
        if (!IsKnown)
            return null;
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (IsIpv6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, Ipv6High);
            return $"{new IPAddress(bytes)}/44";
        }
        BinaryPrimitives.WriteUInt32BigEndian(bytes, ecs ? Ipv4 & 0xFFFFFF00 : Ipv4);
        var address = new IPAddress(bytes[..4]).ToString();
        return ecs ? $"{address}/24" : address;
    }

    /// <inheritdoc/>
    public override string ToString() => Describe(ecs: false) ?? "unknown";
}
