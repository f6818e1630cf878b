using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace CookieXdp.Dns.Zones;

/// <summary>A domain name in wire format, as zones are made of them. Equal names may differ in the case of A–Z (RFC 4343).</summary>
internal sealed class DnsName : IEquatable<DnsName>
{
    private readonly byte[] _wire;
    private readonly byte[] _lower;

    private DnsName(byte[] wire)
    {
        _wire = wire;
        _lower = new byte[wire.Length];
        Messages.Wire.ToLower(wire, _lower);
    }

    /// <summary>The root.</summary>
    internal static DnsName Root { get; } = new([0]);

    /// <summary>The name with its case as it was written; the final zero byte included.</summary>
    internal ReadOnlySpan<byte> Wire => _wire;

    /// <summary>The name in lower case, by which it is found.</summary>
    internal ReadOnlySpan<byte> Lower => _lower;

    /// <summary>Whether it is the root.</summary>
    internal bool IsRoot => _wire.Length == 1;

    /// <summary>Whether its first label is <c>*</c>.</summary>
    internal bool IsWildcard => _wire is [1, (byte)'*', ..];

    /// <summary>Whether all labels are letters, digits and inner hyphens (RFC 952, RFC 1123 §2.1): what a host may be called.</summary>
    internal bool IsHostName
    {
        get
        {
            for (var at = 0; _lower[at] != 0; at += 1 + _lower[at])
            {
                var label = _lower.AsSpan(at + 1, _lower[at]);
                if (label[0] == '-' || label[^1] == '-')
                    return false;
                foreach (var value in label)
                {
                    if (!char.IsAsciiLetterOrDigit((char)value) && value != '-')
                        return false;
                }
            }
            return true;
        }
    }

    /// <summary>The name without its first label.</summary>
    internal DnsName Parent => IsRoot ? this : new(_wire[(1 + _wire[0])..]);

    /// <summary>Reads a name of a master file (RFC 1035 §5.1): absolute with a final dot, else relative to an origin; <c>@</c> is the origin itself.</summary>
    /// <param name="text">The word, each character a byte, its escapes still in it.</param>
    /// <param name="origin">What a relative name is completed with.</param>
    /// <param name="name">The name.</param>
    /// <param name="error">What is wrong and what would be right.</param>
    internal static bool TryParse(string text, DnsName origin, [NotNullWhen(true)] out DnsName? name, [NotNullWhen(false)] out string? error)
    {
        name = null;
        error = null;
        if (text == "@")
        {
            name = origin;
            return true;
        }
        if (text == ".")
        {
            name = Root;
            return true;
        }
        Span<byte> wire = stackalloc byte[Messages.Wire.MaxNameLength];
        var labelAt = 0;
        var length = 1;
        var isAbsolute = false;
        for (var at = 0; at < text.Length;)
        {
            isAbsolute = false;
            if (text[at] == '.')
            {
                if (length - labelAt == 1)
                {
                    error = $"'{text}' has an empty label: two dots in a row, or one at the start";
                    return false;
                }
                wire[labelAt] = (byte)(length - labelAt - 1);
                labelAt = length++;
                isAbsolute = true;
                at++;
            }
            else
            {
                if (!MasterFileText.TryReadCharacter(text, ref at, out var value, out error))
                    return false;
                if (value > 0x7E)
                {
                    error = $"'{text}' has a character outside ASCII: write an international name in its ASCII form, xn--…";
                    return false;
                }
                if (length - labelAt > Messages.Wire.MaxLabelLength)
                {
                    error = $"'{text}' has a label of more than 63 characters";
                    return false;
                }
                if (length < wire.Length)
                    wire[length] = value;
                length++;
            }
            if (length > Messages.Wire.MaxNameLength)
            {
                error = TooLong(text);
                return false;
            }
        }
        if (text.Length == 0)
        {
            error = "the name is empty; @ is the zone itself";
            return false;
        }
        if (isAbsolute)
        {
            wire[labelAt] = 0;
            name = new(wire[..length].ToArray());
            return true;
        }
        wire[labelAt] = (byte)(length - labelAt - 1);
        if (length + origin._wire.Length > Messages.Wire.MaxNameLength)
        {
            error = TooLong(text);
            return false;
        }
        name = new([.. wire[..length], .. origin._wire]);
        return true;
    }

    /// <summary>From wire format without compression, as this program wrote it: the first name in a span.</summary>
    internal static DnsName FromWire(ReadOnlySpan<byte> wire)
    {
        var length = 0;
        while (wire[length] != 0)
            length += 1 + wire[length];
        return new(wire[..(length + 1)].ToArray());
    }

    /// <summary>Whether this name is another one or stands below it.</summary>
    internal bool IsAtOrBelow(DnsName ancestor)
    {
        var name = this;
        while (name._wire.Length > ancestor._wire.Length)
            name = name.Parent;
        return name.Equals(ancestor);
    }

    /// <inheritdoc/>
    public bool Equals(DnsName? other) => other is not null && _lower.AsSpan().SequenceEqual(other._lower);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DnsName);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(_lower);
        return hash.ToHashCode();
    }

    /// <summary>The absolute name as a master file writes it, with its final dot.</summary>
    public override string ToString()
    {
        if (IsRoot)
            return ".";
        var text = new StringBuilder();
        for (var at = 0; _wire[at] != 0; at += 1 + _wire[at])
        {
            foreach (var value in _wire.AsSpan(at + 1, _wire[at]))
            {
                if (value is <= 0x20 or >= 0x7F)
                    text.Append(CultureInfo.InvariantCulture, $"\\{value:D3}");
                else if (value is (byte)'.' or (byte)'\\' or (byte)'"' or (byte)';' or (byte)'(' or (byte)')' or (byte)'@' or (byte)'$')
                    text.Append('\\').Append((char)value);
                else
                    text.Append((char)value);
            }
            text.Append('.');
        }
        return text.ToString();
    }

    private static string TooLong(string text) => $"'{(text.Length > 40 ? text[..40] + "…" : text)}' is longer than the 255 bytes of a name";
}
