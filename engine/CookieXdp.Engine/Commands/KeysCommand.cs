using System.CommandLine;
using CookieXdp.Cookies;
using CookieXdp.Engine.Control;
using CookieXdp.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace CookieXdp.Engine.Commands;

/// <summary>
/// <c>cookiexdp keys</c>: the keeper, and the three steps of a rotation of the master. Stage on every host first, then activate
/// on every host, and drop when nothing minted before can still be believed (after the longest <c>staleFor</c>).
/// </summary>
internal static class KeysCommand
{
    internal static Command Create()
    {
        var command = new Command("keys", "Serves the keyring, and rotates the master secret.");
        command.Add(Serve());
        command.Add(Step("stage", "Makes the next master, or takes it from --from; it opens, and does not mint yet.", Stage));
        command.Add(Step("activate", "Mints with the staged master; the one before goes on opening.", Activate));
        command.Add(Step("drop", "Forgets the master before; what it minted no longer opens.", Drop));
        return command;
    }

    private static Command Serve()
    {
        var config = CommandOptions.Config();
        var command = new Command("serve", "The keeper: derives the epoch keys from the master and publishes the keyring.") { config };
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            var settings = Load(parsed.GetRequiredValue(config));
            return ProgramHost.Run("cookiexdp-keeper", services => services.AddSingleton(settings).AddHostedService<KeeperService>());
        }));
        return command;
    }

    private static Command Step(string name, string description, Func<string, string?, string> step)
    {
        var config = CommandOptions.Config();
        var from = new Option<string?>("--from") { Description = "A file with the master to stage, as another host made it." };
        var command = new Command(name, description) { config };
        if (name == "stage")
            command.Add(from);
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            Console.Out.WriteLine(step(Load(parsed.GetRequiredValue(config)).Keeper!.Master, name == "stage" ? parsed.GetValue(from) : null));
            return 0;
        }));
        return command;
    }

    private static string Stage(string master, string? from)
    {
        var next = master + KeyringKeeper.NextSuffix;
        if (File.Exists(next))
            throw new InvalidDataException($"{next}: a master is staged already; activate it, or remove the file");
        if (from is null)
        {
            new KeyringKeeper(next, "", [], _ => { }, _ => { }).CreateMasterIfMissing();
            return $"{next}: made; copy it to the other hosts (keys stage --from FILE) before any of them activates it";
        }
        using (MasterSecret.ReadFile(from))
        {
        }
        var temporary = next + ".new";
        File.Delete(temporary);
        File.Copy(from, temporary);
        File.SetUnixFileMode(temporary, UnixFileMode.UserRead);
        File.Move(temporary, next, overwrite: false);
        return $"{next}: staged";
    }

    private static string Activate(string master, string? from)
    {
        var (next, previous) = (master + KeyringKeeper.NextSuffix, master + KeyringKeeper.PreviousSuffix);
        if (!File.Exists(next))
            throw new InvalidDataException($"{next}: no master is staged; cookiexdp keys stage comes first");
        if (File.Exists(previous))
            throw new InvalidDataException($"{previous}: the master before the active one is still kept; cookiexdp keys drop comes first");
        using (MasterSecret.ReadFile(next))
        {
        }
        File.Move(master, previous);
        File.Move(next, master);
        return $"{master}: minted with from now on; {previous} goes on opening until cookiexdp keys drop";
    }

    private static string Drop(string master, string? from)
    {
        var previous = master + KeyringKeeper.PreviousSuffix;
        if (!File.Exists(previous))
            throw new InvalidDataException($"{previous}: there is no master to drop");
        File.Delete(previous);
        return $"{previous}: dropped";
    }

    private static Settings Load(string path)
    {
        var settings = SettingsFile.Load(path);
        return settings.Keeper is not null
            ? settings
            : throw new SettingsException([new SettingsError(path, 0, 0, "keeper", "is missing: the keeper needs [keeper] with master = \"/var/lib/cookiexdp/master\"")]);
    }
}
