using System.Globalization;

namespace CookieXdp.Dns.Messages;

/// <summary>The record types (IANA "Resource Record (RR) TYPEs") that this server has something to say about.</summary>
internal static class RecordType
{
    internal const ushort A = 1;
    internal const ushort Ns = 2;
    internal const ushort Cname = 5;
    internal const ushort Soa = 6;
    internal const ushort Mx = 15;
    internal const ushort Txt = 16;
    internal const ushort Aaaa = 28;
    internal const ushort Opt = 41;
    internal const ushort Ds = 43;
    internal const ushort Ixfr = 251;
    internal const ushort Axfr = 252;
    internal const ushort Any = 255;

    /// <summary>Types 128–255 are of queries and messages only (RFC 6895 §3.1): no zone holds a record of one.</summary>
    internal static bool IsMeta(ushort type) => type is >= 128 and <= 255;

    /// <summary>The type of a word in a master file, such as <c>aaaa</c>; 0 where a zone here cannot hold it.</summary>
    internal static ushort FromText(string text) => text.ToUpperInvariant() switch
    {
        "A" => A,
        "AAAA" => Aaaa,
        "MX" => Mx,
        "NS" => Ns,
        "SOA" => Soa,
        "TXT" => Txt,
        _ => 0,
    };

    /// <summary>The type as a master file writes it.</summary>
    internal static string ToText(ushort type) => type switch
    {
        A => "A",
        Aaaa => "AAAA",
        Mx => "MX",
        Ns => "NS",
        Soa => "SOA",
        Txt => "TXT",
        _ => string.Create(CultureInfo.InvariantCulture, $"TYPE{type}"),
    };
}
