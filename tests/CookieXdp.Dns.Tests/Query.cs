using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace CookieXdp.Dns.Tests;

/// <summary>A query as a client makes it, with whatever may be wrong with one.</summary>
internal sealed record Query(string Name, string Type)
{
    internal ushort Id { get; init; } = 0xBEEF;

    internal byte Flags { get; init; }

    internal ushort Class { get; init; } = 1;

    /// <summary>The size in an OPT record; null: no OPT record.</summary>
    internal ushort? UdpSize { get; init; }

    internal byte Version { get; init; }

    internal bool DnssecOk { get; init; }

    internal byte[] Options { get; init; } = [];

    /// <summary>Records behind the question, in place of the OPT record.</summary>
    internal byte[]? Tail { get; init; }

    /// <summary>QDCOUNT … ARCOUNT, in place of the right ones.</summary>
    internal ushort[]? Counts { get; init; }

    internal static ushort TypeOf(string type) => type switch
    {
        "A" => 1,
        "NS" => 2,
        "CNAME" => 5,
        "SOA" => 6,
        "MX" => 15,
        "TXT" => 16,
        "AAAA" => 28,
        "OPT" => 41,
        "DS" => 43,
        "IXFR" => 251,
        "AXFR" => 252,
        "MAILA" => 254,
        "ANY" => 255,
        _ => ushort.Parse(type, CultureInfo.InvariantCulture),
    };

    internal static byte[] WireName(string name) =>
        name is "" or "." ? [0] : [.. name.TrimEnd('.').Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.Latin1.GetBytes(label)]), 0];

    internal static byte[] Opt(ushort size, byte version = 0, bool dnssecOk = false, params byte[] options) =>
        [0, 0, 41, (byte)(size >> 8), (byte)size, 0, version, (byte)(dnssecOk ? 0x80 : 0), 0, (byte)(options.Length >> 8), (byte)options.Length, .. options];

    internal byte[] ToBytes()
    {
        var tail = Tail ?? (UdpSize is { } size ? Opt(size, Version, DnssecOk, Options) : []);
        var counts = Counts ?? [1, 0, 0, (ushort)(tail.Length > 0 ? 1 : 0)];
        var header = new byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(header, Id);
        header[2] = Flags;
        for (var i = 0; i < 4; i++)
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4 + 2 * i), counts[i]);
        var type = TypeOf(Type);
        return [.. header, .. WireName(Name), (byte)(type >> 8), (byte)type, (byte)(Class >> 8), (byte)Class, .. tail];
    }
}
