using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using CookieXdp.Cookies;

namespace CookieXdp.Dataplane;

/// <summary>
/// A set of address prefixes in the plain format that operators have: one a line, IPv4 or IPv6, with or without a length, comments
/// behind # or ; (Spamhaus DROP). Held as sorted ranges that do not overlap; a look-up is a binary search and allocates nothing.
/// </summary>
public sealed class PrefixList
{
    /// <summary>Where IPv4 addresses stand in the one order of all: ::ffff:0:0/96.</summary>
    private static readonly UInt128 _ipv4Base = (UInt128)0xFFFF << 32;

    private readonly UInt128[] _first;
    private readonly UInt128[] _last;

    private PrefixList(UInt128[] first, UInt128[] last, int entries)
    {
        _first = first;
        _last = last;
        Entries = entries;
    }

    /// <summary>A list without entries.</summary>
    public static PrefixList Empty { get; } = new([], [], 0);

    /// <summary>Entries read; ranges may be fewer where they overlap or touch.</summary>
    public int Entries { get; }

    /// <summary>Reads a list.</summary>
    /// <param name="name">The file's name, for the messages.</param>
    /// <param name="utf8">Its content.</param>
    /// <param name="maxIpv4Length">IPv4 entries that are finer than this are left out, and counted in <paramref name="tooFine"/>.</param>
    /// <param name="maxIpv6Length">IPv6 entries that are finer than this are left out, and counted in <paramref name="tooFine"/>.</param>
    /// <param name="tooFine">How many entries were left out as too fine.</param>
    /// <exception cref="InvalidDataException">Lines that are no prefix; the first few, each with its number.</exception>
    public static PrefixList Parse(string name, ReadOnlySpan<byte> utf8, int maxIpv4Length, int maxIpv6Length, out int tooFine)
    {
        var ranges = new List<(UInt128 First, UInt128 Last)>();
        var mistakes = new List<string>();
        tooFine = 0;
        var line = 0;
        while (!utf8.IsEmpty)
        {
            var end = utf8.IndexOf((byte)'\n');
            var text = end < 0 ? utf8 : utf8[..end];
            utf8 = end < 0 ? default : utf8[(end + 1)..];
            line++;
            var comment = text.IndexOfAny((byte)'#', (byte)';');
            text = (comment < 0 ? text : text[..comment]).Trim(" \t\r"u8);
            if (line == 1 && text.StartsWith("\uFEFF"u8))
                text = text[3..];
            if (text.IsEmpty)
                continue;
            if (!TryParseEntry(text, out var first, out var length, out var isIpv4, out var problem))
            {
                if (mistakes.Count < 10)
                    mistakes.Add($"{name}:{line}: '{Printable(text)}' {problem}");
            }
            else if (length > (isIpv4 ? maxIpv4Length : maxIpv6Length))
            {
                tooFine++;
            }
            else
            {
                ranges.Add((first, first | ~Mask(isIpv4 ? length + 96 : length)));
            }
        }
        if (mistakes.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, mistakes));
        return Build(ranges);
    }

    /// <summary>Whether an address lies in one of the prefixes.</summary>
    /// <param name="address">The address as a number, the first byte the most significant; IPv4 as ::ffff:a.b.c.d.</param>
    public bool Contains(UInt128 address)
    {
        var (low, high) = (0, _first.Length);
        while (low < high)
        {
            var middle = (int)((uint)(low + high) >> 1);
            if (_first[middle] <= address)
                low = middle + 1;
            else
                high = middle;
        }
        return low > 0 && address <= _last[low - 1];
    }

    /// <summary>An IPv4 address as it stands in these lists.</summary>
    public static UInt128 FromIpv4(uint address) => _ipv4Base | address;

    private static PrefixList Build(List<(UInt128 First, UInt128 Last)> ranges)
    {
        ranges.Sort((a, b) => a.First.CompareTo(b.First));
        var first = new List<UInt128>(ranges.Count);
        var last = new List<UInt128>(ranges.Count);
        foreach (var range in ranges)
        {
            if (first.Count > 0 && (range.First <= last[^1] || range.First == last[^1] + 1))
            {
                last[^1] = UInt128.Max(last[^1], range.Last);
                continue;
            }
            first.Add(range.First);
            last.Add(range.Last);
        }
        return new([.. first], [.. last], ranges.Count);
    }

    private static bool TryParseEntry(ReadOnlySpan<byte> text, out UInt128 first, out int length, out bool isIpv4, out string problem)
    {
        first = default;
        isIpv4 = false;
        length = -1;
        problem = "is no prefix: one a line, such as 192.0.2.0/24 or 2001:db8::/32";
        var slash = text.IndexOf((byte)'/');
        var part = slash < 0 ? text : text[..slash];
        Span<char> characters = stackalloc char[64];
        if (part.Length > characters.Length || !AddressText.TryParse(characters[..Encoding.Latin1.GetChars(part, characters)], out var address))
            return false;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        isIpv4 = address.AddressFamily == AddressFamily.InterNetwork;
        var most = isIpv4 ? 32 : 128;
        length = most;
        if (slash >= 0 && (!System.Buffers.Text.Utf8Parser.TryParse(text[(slash + 1)..], out length, out var consumed) || consumed != text.Length - slash - 1 || length < 0 || length > most))
        {
            problem = $"has no length from 0 to {most} behind its slash";
            return false;
        }
        first = isIpv4 ? FromIpv4(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
        var network = first & Mask(isIpv4 ? length + 96 : length);
        if (network != first)
        {
            problem = $"has bits set behind its length of {length}: leave them zero, or make the prefix longer";
            return false;
        }
        return true;
    }

    private static UInt128 Mask(int length) => length == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - length);

    private static string Printable(ReadOnlySpan<byte> text)
    {
        var shown = Encoding.UTF8.GetString(text[..Math.Min(text.Length, 60)]);
        return string.Concat(shown.Select(c => char.IsControl(c) ? '?' : c));
    }
}
