using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Zones;

/// <summary>One record of a zone, class IN.</summary>
/// <param name="Owner">Its name.</param>
/// <param name="Type">Its type, one of <see cref="RecordType"/>.</param>
/// <param name="Ttl">Seconds.</param>
/// <param name="Data">Its data in wire format, names without compression.</param>
/// <param name="Line">The line where it stands in its master file.</param>
/// <param name="Column">The column of its type.</param>
internal sealed record ZoneRecord(DnsName Owner, ushort Type, uint Ttl, byte[] Data, int Line, int Column)
{
    /// <summary>The name that an NS or MX record leads to; null for other types.</summary>
    internal DnsName? Target { get; } = Type switch
    {
        RecordType.Ns => DnsName.FromWire(Data),
        RecordType.Mx => DnsName.FromWire(Data.AsSpan(2)),
        _ => null,
    };
}
