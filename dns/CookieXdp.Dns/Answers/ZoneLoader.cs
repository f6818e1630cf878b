using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;

namespace CookieXdp.Dns.Answers;

/// <summary>Reads, checks and compiles all zones of a configuration: all of them, or none and every mistake.</summary>
internal static class ZoneLoader
{
    /// <summary>Loads the zones.</summary>
    /// <exception cref="ZoneException">Some have mistakes.</exception>
    internal static ServedZones Load(IReadOnlyList<ZoneSettings> zones, ProtectedServices services)
    {
        var read = new List<(ZoneContent Zone, ZoneErrors Errors)>();
        var allErrors = new List<ZoneErrors>();
        foreach (var zone in zones)
        {
            var errors = new ZoneErrors(zone.File);
            allErrors.Add(errors);
            if (ZoneFile.ReadName(zone.Name, errors) is not { } apex || ZoneFile.Read(zone.File, apex, errors) is not { } content)
                continue;
            ZoneRules.Check(content, services, errors);
            read.Add((content, errors));
        }
        ZoneRules.CheckServers(read, services);
        return allErrors.TrueForAll(errors => errors.IsEmpty)
            ? new ServedZones([.. read.Select(each => ZoneCompiler.Compile(each.Zone, services))])
            : throw new ZoneException([.. allErrors.SelectMany(errors => errors.InOrder())]);
    }
}
