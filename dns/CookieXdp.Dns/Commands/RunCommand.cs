using System.Net;
using System.Runtime.InteropServices;
using CookieXdp.Cookies;
using CookieXdp.Dns.Serving;
using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CookieXdp.Dns.Commands;

/// <summary><c>cookiexdp-dns run</c>: serves until SIGTERM or SIGINT.</summary>
internal static class RunCommand
{
    /// <summary>Runs the server.</summary>
    /// <returns>The exit code: 0 after a clean stop, 1 where something is wrong at start.</returns>
    internal static async Task<int> RunAsync(string configuration)
    {
        try
        {
            var settings = SettingsFile.Load(configuration);
            if (settings.Dns is not { } dns)
                return Failure.Tell($"{configuration}: has no [dns]: name listen addresses and zones there");
            await RunAsync(settings, dns).ConfigureAwait(false);
            return 0;
        }
        catch (Exception e) when (e is SettingsException or ZoneException or ListenException or PlatformNotSupportedException)
        {
            return Failure.Tell(e.Message);
        }
    }

    private static async Task RunAsync(Settings settings, DnsSettings dns)
    {
        using var host = ProgramHost.Build("cookiexdp-dns");
        var logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("dns");

        var server = DnsServer.Start(settings, dns, TimeProvider.System, TcpTimeouts.Default, logger);
        await using var _ = server.ConfigureAwait(false);
        using var reload = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            server.Reload();
        });
        foreach (var endPoint in server.EndPoints.Where(endPoint => endPoint.Address.Equals(IPAddress.Any) || endPoint.Address.Equals(IPAddress.IPv6Any)))
            logger.LogWarning("{EndPoint} is every address: on a host with several, UDP answers may leave from another than was asked; list the addresses instead", endPoint);
        if (CookieForm.IsSlow)
            logger.LogWarning("cookies are minted without AES instructions, some fifty times slower than with them");
        foreach (var zone in server.Responder.Zones.All)
            logger.LogInformation("zone {Zone}: serial {Serial}, {Records} records, {Templates} templates", zone.Name, zone.Serial, zone.RecordCount, zone.TemplateCount);
        await host.StartAsync().ConfigureAwait(false);
        logger.LogInformation("ready: answering at {EndPoints}; {Keyring}", string.Join(", ", server.EndPoints), server.Keyring is { } keyring
            ? $"keyring generation {keyring.Generation}"
            : "no keyring yet, template names get SERVFAIL");
        await host.WaitForShutdownAsync().ConfigureAwait(false);
        logger.LogInformation("stopped");
    }
}
