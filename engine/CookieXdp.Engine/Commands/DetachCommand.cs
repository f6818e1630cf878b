using System.CommandLine;
using CookieXdp.AfXdp;
using CookieXdp.Engine.Control;
using CookieXdp.Hosting;

namespace CookieXdp.Engine.Commands;

/// <summary><c>cookiexdp detach</c>: takes the XDP program off the interfaces. A stopped engine leaves it there, so that a restart loses nothing.</summary>
internal static class DetachCommand
{
    internal static Command Create()
    {
        var config = CommandOptions.Config();
        var command = new Command("detach", "Takes the XDP program off the interfaces, for good.") { config };
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            var settings = SettingsFile.Load(parsed.GetRequiredValue(config));
            if (settings.Edge is null)
                throw new SettingsException([new SettingsError(settings.File, 0, 0, "edge", "is missing, so nothing is known of interfaces")]);
            try
            {
                using var owner = OwnerLock.Take(settings, "an engine runs, which could receive nothing any more: stop it first");
                foreach (var pin in AttachedProgram.Pins(settings.Edge.BpfFs))
                {
                    using var link = XdpLink.OpenPinned(pin);
                    link?.Detach();
                    Console.Out.WriteLine(link is null ? $"{pin}: nothing is attached" : $"{pin}: detached");
                }
            }
            catch (Exception e) when (e is XdpException or StartException)
            {
                throw new InvalidDataException(e.Message, e);
            }
            return 0;
        }));
        return command;
    }
}
