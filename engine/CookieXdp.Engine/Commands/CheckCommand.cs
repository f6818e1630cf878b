using System.CommandLine;
using CookieXdp.Engine.Control;
using CookieXdp.Hosting;

namespace CookieXdp.Engine.Commands;

/// <summary><c>cookiexdp check</c>: reads the configuration and the lists it names, and says everything that is wrong.</summary>
internal static class CheckCommand
{
    internal static Command Create()
    {
        var config = CommandOptions.Config();
        var command = new Command("check", "Checks the configuration file and the lists it names.") { config };
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            var settings = SettingsFile.Load(parsed.GetRequiredValue(config));
            PolicyFiles.Load(settings.Policy, Console.Error.WriteLine);
            Console.Out.WriteLine($"{settings.File}: ok, {settings.Prefixes.Count} prefix(es), {settings.Prefixes.Sum(prefix => prefix.Services.Count)} service(s)");
            return 0;
        }));
        return command;
    }
}
