using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;

namespace CookieXdp.Dns.Commands;

/// <summary><c>cookiexdp-dns check</c>: says everything that is wrong with the configuration and its zones, and touches nothing.</summary>
internal static class CheckCommand
{
    /// <summary>Checks.</summary>
    /// <returns>The exit code: 0 where all is right, 1 where not.</returns>
    internal static int Run(string configuration)
    {
        try
        {
            var settings = SettingsFile.Load(configuration);
            if (settings.Dns is not { } dns)
                return Failure.Tell($"{configuration}: has no [dns]: name listen addresses and zones there");
            foreach (var zone in ZoneLoader.Load(dns.Zones, new ProtectedServices(settings.Prefixes)).All)
                Console.Out.WriteLine($"ok: zone {zone.Name} serial {zone.Serial}, {zone.RecordCount} records, {zone.TemplateCount} templates");
            return 0;
        }
        catch (Exception e) when (e is SettingsException or ZoneException)
        {
            return Failure.Tell(e.Message);
        }
    }
}
