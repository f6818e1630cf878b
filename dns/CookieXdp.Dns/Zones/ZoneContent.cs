using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Zones;

/// <summary>A zone as its master file has it: records by name, before they are checked and compiled.</summary>
internal sealed class ZoneContent
{
    private readonly Dictionary<DnsName, List<ZoneRecord>> _byOwner = [];

    /// <summary>With all records of a file.</summary>
    internal ZoneContent(DnsName apex, IReadOnlyList<ZoneRecord> records)
    {
        Apex = apex;
        Records = records;
        foreach (var record in records)
        {
            if (!_byOwner.TryGetValue(record.Owner, out var list))
                _byOwner.Add(record.Owner, list = []);
            list.Add(record);
        }
    }

    /// <summary>The zone's own name.</summary>
    internal DnsName Apex { get; }

    /// <summary>All records, in the order of the file.</summary>
    internal IReadOnlyList<ZoneRecord> Records { get; }

    /// <summary>The names that own records.</summary>
    internal IReadOnlyCollection<DnsName> Owners => _byOwner.Keys;

    /// <summary>Whether a name owns any record.</summary>
    internal bool Has(DnsName owner) => _byOwner.ContainsKey(owner);

    /// <summary>The records of a name and type.</summary>
    internal IEnumerable<ZoneRecord> Of(DnsName owner, ushort type) =>
        _byOwner.TryGetValue(owner, out var list) ? list.Where(record => record.Type == type) : [];

    /// <summary>The A and AAAA records of a name.</summary>
    internal IEnumerable<ZoneRecord> AddressesOf(DnsName owner) => Of(owner, RecordType.A).Concat(Of(owner, RecordType.Aaaa));

    /// <summary>The types that a name owns, each once.</summary>
    internal IEnumerable<ushort> TypesOf(DnsName owner) => _byOwner[owner].Select(record => record.Type).Distinct();

    /// <summary>The topmost name at or above this one where the zone delegates (NS below the apex), or null.</summary>
    internal DnsName? CutOf(DnsName name)
    {
        DnsName? cut = null;
        for (; name.IsAtOrBelow(Apex) && !name.Equals(Apex); name = name.Parent)
        {
            if (Of(name, RecordType.Ns).Any())
                cut = name;
        }
        return cut;
    }
}
