using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace CookieXdp.Dns.Zones;

/// <summary>The small things that words of a master file are made of: escapes, times, numbers.</summary>
internal static class MasterFileText
{
    /// <summary>The greatest TTL (RFC 2181 §8).</summary>
    internal const uint MaxTtl = int.MaxValue;

    /// <summary>Reads one character, which may be escaped: <c>\X</c> is X itself, <c>\DDD</c> the byte of that decimal number.</summary>
    internal static bool TryReadCharacter(string text, ref int at, out byte value, [NotNullWhen(false)] out string? error)
    {
        error = null;
        value = (byte)text[at++];
        if (value != '\\')
            return true;
        if (at == text.Length)
        {
            error = $"'{text}' ends with a lone \\: write \\\\ for the character itself";
            return false;
        }
        if (!char.IsAsciiDigit(text[at]))
        {
            value = (byte)text[at++];
            return true;
        }
        if (at + 3 > text.Length || !byte.TryParse(text.AsSpan(at, 3), NumberStyles.None, CultureInfo.InvariantCulture, out value))
        {
            error = $"'{text}' has a \\ that is not followed by three decimal digits up to 255, as in \\032";
            return false;
        }
        at += 3;
        return true;
    }

    /// <summary>Reads a time in seconds, with units (<c>3600</c>, <c>1h</c>, <c>1h30m</c>; s, m, h, d, w), up to <see cref="MaxTtl"/>.</summary>
    internal static bool TryReadTime(string text, out uint seconds)
    {
        seconds = 0;
        ulong total = 0;
        ulong number = 0;
        var hasDigits = false;
        for (var at = 0; at < text.Length; at++)
        {
            var character = text[at];
            if (char.IsAsciiDigit(character))
            {
                number = number * 10 + (ulong)(character - '0');
                hasDigits = true;
            }
            else
            {
                var unit = (character | 0x20) switch { 's' => 1u, 'm' => 60u, 'h' => 3600u, 'd' => 86_400u, 'w' => 604_800u, _ => 0u };
                if (unit == 0 || !hasDigits)
                    return false;
                total += number * unit;
                number = 0;
                hasDigits = false;
            }
            if (number > MaxTtl || total > MaxTtl)
                return false;
        }
        total += number;
        if (text.Length == 0 || total > MaxTtl)
            return false;
        seconds = (uint)total;
        return true;
    }

    /// <summary>The class of a word, or 0 where it is none.</summary>
    internal static ushort ReadClass(string text) => text.ToUpperInvariant() switch { "IN" => 1, "CH" => 3, "HS" => 4, _ => 0 };
}
