using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Zones;

/// <summary>Reads the data of a record, from a master file's words to wire format.</summary>
internal static class RecordData
{
    private static readonly SearchValues<char> _ipv4Characters = SearchValues.Create("0123456789.");
    private static readonly SearchValues<char> _ipv6Characters = SearchValues.Create("0123456789abcdefABCDEF:.");

    /// <summary>Reads the words behind a type; what is wrong with them is reported.</summary>
    /// <param name="type">The type.</param>
    /// <param name="typeToken">Where it stands, for what is missing.</param>
    /// <param name="words">The words behind it.</param>
    /// <param name="origin">What relative names are completed with.</param>
    /// <param name="errors">Where mistakes go.</param>
    /// <returns>The data, or null where they are none.</returns>
    internal static byte[]? Read(ushort type, in MasterFileToken typeToken, ReadOnlySpan<MasterFileToken> words, DnsName origin, ZoneErrors errors)
    {
        var (count, form) = FormOf(type);
        if (type == RecordType.Txt ? words.IsEmpty : words.Length < count)
        {
            errors.Add(typeToken, $"{typeToken.Text} needs {form}");
            return null;
        }
        if (type != RecordType.Txt && words.Length > count)
        {
            errors.Add(words[count], $"'{words[count].Text}' is too much: {typeToken.Text} has {form} only");
            return null;
        }
        return type switch
        {
            RecordType.A => ReadAddress(words[0], AddressFamily.InterNetwork, errors),
            RecordType.Aaaa => ReadAddress(words[0], AddressFamily.InterNetworkV6, errors),
            RecordType.Ns => ReadName(words[0], origin, errors)?.Wire.ToArray(),
            RecordType.Mx => ReadMx(words, origin, errors),
            RecordType.Soa => ReadSoa(words, origin, errors),
            _ => ReadText(words, errors),
        };
    }

    private static (int Words, string Form) FormOf(ushort type) => type switch
    {
        RecordType.A => (1, "an IPv4 address"),
        RecordType.Aaaa => (1, "an IPv6 address"),
        RecordType.Ns => (1, "the name of a server"),
        RecordType.Mx => (2, "a preference and a name"),
        RecordType.Soa => (7, "primary server, mailbox, serial, refresh, retry, expire and minimum"),
        _ => (1, "a text"),
    };

    private static byte[]? ReadAddress(in MasterFileToken word, AddressFamily family, ZoneErrors errors)
    {
        var isIpv4 = family == AddressFamily.InterNetwork;
        // IPAddress reads "1" and "0x7f.1" as IPv4, and "[::1]" and "fe80::1%2" as IPv6; none is an address of a record.
        var looksRight = isIpv4
            ? word.Text.Count(character => character == '.') == 3 && !word.Text.AsSpan().ContainsAnyExcept(_ipv4Characters)
                && word.Text.Split('.').All(part => part is "0" || (part.Length is > 0 and <= 3 && part[0] != '0'))
            : !word.Text.AsSpan().ContainsAnyExcept(_ipv6Characters);
        if (looksRight && IPAddress.TryParse(word.Text, out var address) && address.AddressFamily == family)
            return address.GetAddressBytes();
        errors.Add(word, isIpv4
            ? $"'{word.Text}' is no IPv4 address: four numbers up to 255, as in 192.0.2.1"
            : $"'{word.Text}' is no IPv6 address such as 2001:db8::1");
        return null;
    }

    private static DnsName? ReadName(in MasterFileToken word, DnsName origin, ZoneErrors errors)
    {
        if (DnsName.TryParse(word.Text, origin, out var name, out var error))
            return name;
        errors.Add(word, error);
        return null;
    }

    private static byte[]? ReadMx(ReadOnlySpan<MasterFileToken> words, DnsName origin, ZoneErrors errors)
    {
        if (!ushort.TryParse(words[0].Text, NumberStyles.None, CultureInfo.InvariantCulture, out var preference))
        {
            errors.Add(words[0], $"'{words[0].Text}' is no preference: a number from 0 to 65535, as in MX 10 mail");
            return null;
        }
        if (ReadName(words[1], origin, errors) is not { } name)
            return null;
        var data = new byte[2 + name.Wire.Length];
        BinaryPrimitives.WriteUInt16BigEndian(data, preference);
        name.Wire.CopyTo(data.AsSpan(2));
        return data;
    }

    private static byte[]? ReadSoa(ReadOnlySpan<MasterFileToken> words, DnsName origin, ZoneErrors errors)
    {
        var primary = ReadName(words[0], origin, errors);
        var mailbox = ReadName(words[1], origin, errors);
        if (words[1].Text.Contains('@', StringComparison.Ordinal))
        {
            errors.Add(words[1], $"'{words[1].Text}': the mailbox is written with a dot in place of its @, as in hostmaster.example.com.");
            return null;
        }
        var numbers = new byte[20];
        var right = true;
        if (uint.TryParse(words[2].Text, NumberStyles.None, CultureInfo.InvariantCulture, out var serial))
        {
            BinaryPrimitives.WriteUInt32BigEndian(numbers, serial);
        }
        else
        {
            errors.Add(words[2], $"'{words[2].Text}' is no serial: a number from 0 to 4294967295");
            right = false;
        }
        for (var i = 3; i < 7; i++)
        {
            if (MasterFileText.TryReadTime(words[i].Text, out var seconds))
            {
                BinaryPrimitives.WriteUInt32BigEndian(numbers.AsSpan((i - 2) * 4), seconds);
            }
            else
            {
                errors.Add(words[i], $"'{words[i].Text}' is no time: seconds, or such as 1h30m");
                right = false;
            }
        }
        return right && primary is not null && mailbox is not null ? [.. primary.Wire, .. mailbox.Wire, .. numbers] : null;
    }

    private static byte[]? ReadText(ReadOnlySpan<MasterFileToken> words, ZoneErrors errors)
    {
        var data = new List<byte>();
        foreach (var word in words)
        {
            var lengthAt = data.Count;
            data.Add(0);
            for (var at = 0; at < word.Text.Length;)
            {
                if (!MasterFileText.TryReadCharacter(word.Text, ref at, out var value, out var error))
                {
                    errors.Add(word, error);
                    return null;
                }
                // A string has 255 bytes at most; what is longer (a DKIM key) goes on in the next, as its readers join them anyway.
                if (data[lengthAt] == byte.MaxValue)
                {
                    lengthAt = data.Count;
                    data.Add(0);
                }
                data.Add(value);
                data[lengthAt]++;
            }
        }
        if (data.Count <= ushort.MaxValue)
            return [.. data];
        errors.Add(words[0], "the text is longer than the 65535 bytes of a record");
        return null;
    }
}
