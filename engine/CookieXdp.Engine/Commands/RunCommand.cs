using System.CommandLine;
using CookieXdp.Engine.Control;
using CookieXdp.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace CookieXdp.Engine.Commands;

/// <summary><c>cookiexdp run</c>: the engine.</summary>
internal static class RunCommand
{
    internal static Command Create()
    {
        var config = CommandOptions.Config();
        var command = new Command("run", "Runs the engine on the interfaces of the configuration.") { config };
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            var settings = SettingsFile.Load(parsed.GetRequiredValue(config));
            return settings.Edge is null
                ? throw new SettingsException([new SettingsError(settings.File, 0, 0, "edge", "is missing: the engine needs [edge.uplink] and [edge.inside], each with interface = \"…\"")])
                : ProgramHost.Run("cookiexdp", services => services.AddSingleton(settings).AddHostedService<EdgeService>());
        }));
        return command;
    }
}
