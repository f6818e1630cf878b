using System.CommandLine;
using System.Net;
using CookieXdp.Cookies;
using Cookie = CookieXdp.Cookies.Cookie;

namespace CookieXdp.Engine.Commands;

/// <summary><c>cookiexdp mint</c>: prints the address that a resolver would have been given.</summary>
internal static class MintCommand
{
    internal static Command Create()
    {
        var master = CommandOptions.Master();
        var prefix = CommandOptions.Prefix();
        var resolver = new Option<string>("--resolver") { Description = "The address of who asks.", Required = true };
        var service = new Option<int>("--service") { Description = "The service asked for, 0 to 15.", Required = true };
        var at = CommandOptions.At();
        var verified = new Option<bool>("--verified") { Description = "The query came by TCP or with a valid DNS cookie." };
        var ecs = new Option<bool>("--ecs") { Description = "The network came from EDNS Client Subnet." };
        var command = new Command("mint", "Prints the address that a resolver is given, from a master file.") { master, prefix, resolver, service, at, verified, ecs };
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            var time = CommandOptions.ParseTime(parsed.GetValue(at));
            var number = parsed.GetRequiredValue(service);
            if (number is < 0 or > Cookie.MaxService)
                throw new MisuseException($"--service: {number} is no service: 0 to {Cookie.MaxService} are");
            var network = ResolverNetwork.FromAddress(CommandOptions.ParseAddress("--resolver", parsed.GetRequiredValue(resolver)));
            var parsedPrefix = CommandOptions.ParsePrefix(parsed.GetRequiredValue(prefix));
            using var secret = MasterSecret.ReadFile(parsed.GetRequiredValue(master));
            Span<byte> address = stackalloc byte[16];
            PrefixKeys.Derive(secret, parsedPrefix, time).TryMint(network, time, number, parsed.GetValue(verified), parsed.GetValue(ecs), address);
            Console.Out.WriteLine(new IPAddress(address));
            return 0;
        }, CommandOptions.Misuse));
        return command;
    }
}
