using System.Text;

namespace CookieXdp.Dns.Zones;

/// <summary>A master file on disk, read into what it says.</summary>
internal static class ZoneFile
{
    // Far beyond any zone of mail hosts; a file of another kind is told as such and not read into memory.
    private const long MaxLength = 64 << 20;

    /// <summary>Reads a file. What is wrong, also that it cannot be read, is in <paramref name="errors"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="apex">The zone's name.</param>
    /// <param name="errors">Where mistakes go.</param>
    /// <returns>The records, or null where the file cannot be read at all.</returns>
    internal static ZoneContent? Read(string path, DnsName apex, ZoneErrors errors)
    {
        try
        {
            using var file = File.OpenRead(path);
            if (file.Length <= MaxLength)
            {
                var bytes = new byte[file.Length];
                var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
                return new(apex, MasterFileReader.Read(Encoding.Latin1.GetString(bytes, 0, length), apex, errors));
            }
            errors.Add($"has {file.Length >> 20} MiB, more than the {MaxLength >> 20} of the largest zone: is it a master file?");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            errors.Add("there is no such file: write the zone's records there, or name another with file in [[dns.zone]]");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors.Add(e.Message);
        }
        return null;
    }

    /// <summary>The name of a zone as the configuration has it, without final dot; LDH labels.</summary>
    internal static DnsName? ReadName(string text, ZoneErrors errors)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('!', '~') && DnsName.TryParse(text, DnsName.Root, out var name, out _) && name.IsHostName && !name.IsRoot)
            return name;
        errors.Add($"the zone's name '{text}' in the configuration is no name such as mx.example.com: letters, digits and inner hyphens between dots");
        return null;
    }
}
