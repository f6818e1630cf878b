using System.Globalization;
using System.Net;
using CookieXdp.Cookies;
using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Zones;

/// <summary>What must be true of a zone's records together, before it is served.</summary>
internal static class ZoneRules
{
    // Name, fixed fields and a little air: what is left of a message for the data of one RRset.
    private const int MaxSetLength = Wire.MaxMessageLength - 1024;

    /// <summary>Checks one zone. Where lines could not be read, nothing is said of what is missing: it may be there.</summary>
    internal static void Check(ZoneContent zone, ProtectedServices services, ZoneErrors errors)
    {
        var isComplete = errors.IsEmpty;
        if (isComplete)
            CheckApex(zone, errors);
        foreach (var record in zone.Records)
            CheckOwner(zone, record, errors);
        foreach (var owner in zone.Owners)
        {
            foreach (var type in zone.TypesOf(owner))
                CheckSet([.. zone.Of(owner, type)], errors);
        }
        foreach (var record in zone.Records)
        {
            if (record.Type == RecordType.Aaaa)
                CheckProtected(zone, record, services, errors);
            else if (record.Target is not null)
                CheckTarget(zone, record, isComplete, errors);
        }
    }

    /// <summary>Checks that no name server of any zone has a minted address in any zone: the address must hold for whoever asks, for days.</summary>
    /// <param name="zones">All zones, each with where its mistakes go.</param>
    /// <param name="services">The prefixes.</param>
    internal static void CheckServers(IReadOnlyList<(ZoneContent Zone, ZoneErrors Errors)> zones, ProtectedServices services)
    {
        var servers = zones.SelectMany(each => each.Zone.Records).Where(record => record.Type == RecordType.Ns).Select(record => record.Target!).ToHashSet();
        foreach (var (zone, errors) in zones)
        {
            foreach (var record in zone.Records)
            {
                if (record.Type == RecordType.Aaaa && services.PrefixOf(record.Data) >= 0 && servers.Contains(record.Owner))
                    errors.Add(record, $"the name is a name server (NS), and {new IPAddress(record.Data)} lies in {services.Prefixes[services.PrefixOf(record.Data)]}, which is for minted addresses: give the server an address outside");
            }
        }
    }

    private static void CheckApex(ZoneContent zone, ZoneErrors errors)
    {
        var authorities = zone.Records.Where(record => record.Type == RecordType.Soa).ToList();
        if (authorities.Count == 0)
            errors.Add($"has no SOA record: begin with {zone.Apex} SOA primary-server mailbox serial refresh retry expire minimum");
        foreach (var record in authorities.Skip(1))
            errors.Add(record, string.Create(CultureInfo.InvariantCulture, $"a zone has one SOA record, and line {authorities[0].Line} has it already"));
        if (authorities.Count > 0 && !authorities[0].Owner.Equals(zone.Apex))
            errors.Add(authorities[0], $"the SOA record belongs to the zone's own name, {zone.Apex}");
        if (!zone.Of(zone.Apex, RecordType.Ns).Any())
            errors.Add($"has no NS record for {zone.Apex}: name the servers that answer for it");
    }

    private static void CheckOwner(ZoneContent zone, ZoneRecord record, ZoneErrors errors)
    {
        if (!record.Owner.IsAtOrBelow(zone.Apex))
        {
            errors.Add(record, $"the name is not in zone {zone.Apex} (without its final dot it would be)");
            return;
        }
        if (record.Owner.IsWildcard)
            errors.Add(record, "wildcards are not supported: write out each name");
        if (record.Type is RecordType.A or RecordType.Aaaa && !record.Owner.IsHostName)
            errors.Add(record, "a name with addresses has letters, digits and inner hyphens only: other servers refuse it (check-names), and no certificate can carry it");
        if (zone.CutOf(record.Owner) is not { } cut)
            return;
        var isGlue = record.Type is RecordType.A or RecordType.Aaaa;
        if (!isGlue && !(record.Type == RecordType.Ns && record.Owner.Equals(cut)))
            errors.Add(record, $"{cut} is delegated by its NS records: what is there belongs into that zone, and only addresses of its servers stand here");
    }

    private static void CheckSet(List<ZoneRecord> set, ZoneErrors errors)
    {
        for (var i = 1; i < set.Count; i++)
        {
            if (set[i].Ttl != set[0].Ttl)
                errors.Add(set[i], string.Create(CultureInfo.InvariantCulture, $"has TTL {set[i].Ttl}, and line {set[0].Line} of the same name and type has {set[0].Ttl}: make them equal (RFC 2181 §5.2)"));
        }
        var seen = new Dictionary<string, ZoneRecord>(StringComparer.Ordinal);
        var length = 0;
        foreach (var record in set)
        {
            length += record.Data.Length + 12;
            if (!seen.TryAdd(Convert.ToHexString(record.Data), record))
                errors.Add(record, string.Create(CultureInfo.InvariantCulture, $"stands twice: line {seen[Convert.ToHexString(record.Data)].Line} has it already"));
        }
        if (length > MaxSetLength)
            errors.Add(set[0], string.Create(CultureInfo.InvariantCulture, $"the {set.Count} records of this name and type do not fit into one message of 65535 bytes"));
    }

    private static void CheckProtected(ZoneContent zone, ZoneRecord record, ProtectedServices services, ZoneErrors errors)
    {
        var prefix = services.PrefixOf(record.Data);
        if (prefix < 0)
            return;
        var address = new IPAddress(record.Data);
        if (!services.IsTemplate(record.Data, out var service))
        {
            errors.Add(record, $"{address} lies in {services.Prefixes[prefix]}, where all addresses are minted: write the template, {TemplateOf(services.Prefixes[prefix], 1)} for service 1, or an address outside");
            return;
        }
        if (service is null)
        {
            var known = string.Join(", ", services.ByIndex.Where(each => each?.PrefixIndex == prefix).Select(each => $"{TemplateOf(services.Prefixes[prefix], each!.Id)} ({each.Name})"));
            errors.Add(record, string.Create(CultureInfo.InvariantCulture, $"{address} is the template of service {record.Data[15]}, which {services.Prefixes[prefix]} does not have in the configuration; it has {known}"));
            return;
        }
        if (zone.Of(record.Owner, RecordType.Aaaa).Count() > 1)
            errors.Add(record, $"the template {address} must be the name's only AAAA record");
        if (zone.CutOf(record.Owner) is { } cut)
            errors.Add(record, $"{address} is a template, and {cut} is delegated: addresses there are glue, which cannot be minted");
        var least = service.MintEvery + (long)record.Ttl + CookieTime.FutureTolerance;
        if (service.FreshFor < least)
            errors.Add(record, string.Create(CultureInfo.InvariantCulture, $"TTL {record.Ttl} is too long: mintEvery {service.MintEvery} + TTL + 128 = {least} s is more than freshFor {service.FreshFor} s of service '{service.Name}', so that answers would be stale while resolvers still hold them{(service.FreshFor - service.MintEvery - CookieTime.FutureTolerance is >= 0 and var most ? $"; at most {most} is right" : "")}"));
    }

    private static void CheckTarget(ZoneContent zone, ZoneRecord record, bool isComplete, ZoneErrors errors)
    {
        var target = record.Target!;
        // RFC 7505: MX 0 . says that no mail is taken.
        if (record.Type == RecordType.Mx && target.IsRoot)
            return;
        if (target.IsRoot || !target.IsHostName)
        {
            errors.Add(record, $"{target} is no host name: letters, digits and inner hyphens");
            return;
        }
        if (isComplete && target.IsAtOrBelow(zone.Apex) && zone.CutOf(target) is null && !zone.AddressesOf(target).Any())
            errors.Add(record, $"{target} is in this zone but has no A or AAAA record here");
    }

    private static IPAddress TemplateOf(CookiePrefix prefix, int service)
    {
        Span<byte> address = stackalloc byte[16];
        address.Clear();
        prefix.CopyTo(address);
        address[15] = (byte)service;
        return new(address);
    }
}
