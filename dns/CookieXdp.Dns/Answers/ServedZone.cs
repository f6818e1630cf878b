using CookieXdp.Dns.Messages;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Answers;

/// <summary>One zone with all its answers. Immutable.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Serial">Its SOA's serial.</param>
/// <param name="RecordCount">Records in its master file.</param>
/// <param name="TemplateCount">Those that are templates.</param>
/// <param name="Nodes">Every name in it, empty non-terminals included.</param>
/// <param name="Negative">The SOA in the authority section, TTL min(SOA's TTL, MINIMUM) (RFC 2308 §3): NODATA and NXDOMAIN alike.</param>
/// <param name="HasCuts">Whether anything below the apex is delegated.</param>
/// <param name="LongestAnswer">Bytes of the longest <see cref="CompiledAnswer.Body"/>.</param>
internal sealed record ServedZone(
    DnsName Name,
    uint Serial,
    int RecordCount,
    int TemplateCount,
    NameTable<ZoneNode> Nodes,
    CompiledAnswer Negative,
    bool HasCuts,
    int LongestAnswer);

/// <summary>All zones that are served. Immutable; a reload makes a new one.</summary>
internal sealed class ServedZones
{
    private readonly NameTable<ServedZone> _byName;

    /// <summary>With its zones, no two of one name.</summary>
    internal ServedZones(IReadOnlyList<ServedZone> zones)
    {
        All = zones;
        var longest = Wire.HeaderLength + Wire.MaxNameLength + Wire.QuestionTailLength + zones.Max(zone => zone.LongestAnswer) + Wire.OptLength;
        LongestResponse = Math.Clamp(longest, QueryResponder.LeastResponseLength, Wire.MaxMessageLength);
        _byName = new NameTable<ServedZone>([.. zones.Select(zone => KeyValuePair.Create(zone.Name, zone))]);
    }

    /// <summary>The zones.</summary>
    internal IReadOnlyList<ServedZone> All { get; }

    /// <summary>Bytes that no answer from these zones exceeds.</summary>
    internal int LongestResponse { get; }

    /// <summary>The zone that a name belongs to: the deepest one at or above it; null where none is.</summary>
    /// <param name="lower">The name in wire format and lower case.</param>
    internal ServedZone? Find(ReadOnlySpan<byte> lower) => _byName.FindLongest(lower, out _);
}
