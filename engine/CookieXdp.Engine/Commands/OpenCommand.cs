using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using CookieXdp.Cookies;

namespace CookieXdp.Engine.Commands;

/// <summary><c>cookiexdp open</c>: prints what an address's cookie says. Exit code 1 where it is false.</summary>
internal static class OpenCommand
{
    internal static Command Create()
    {
        var text = new Argument<string>("address") { Description = "The IPv6 address." };
        var master = CommandOptions.Master();
        var prefix = CommandOptions.Prefix();
        var at = CommandOptions.At();
        var json = new Option<bool>("--json") { Description = "Prints one line of JSON." };
        var command = new Command("open", "Prints what the cookie in an address says, from a master file.") { text, master, prefix, at, json };
        command.SetAction(parsed => CommandOptions.Run(() =>
        {
            var time = CommandOptions.ParseTime(parsed.GetValue(at));
            var address = CommandOptions.ParseAddress("address", parsed.GetRequiredValue(text));
            if (address.AddressFamily != AddressFamily.InterNetworkV6)
                throw new MisuseException($"address: '{address}' is no IPv6 address, and only those carry cookies");
            var parsedPrefix = CommandOptions.ParsePrefix(parsed.GetRequiredValue(prefix));
            using var secret = MasterSecret.ReadFile(parsed.GetRequiredValue(master));
            var genuine = PrefixKeys.Derive(secret, parsedPrefix, time).TryOpen(address.GetAddressBytes(), time, out var cookie);
            Console.Out.WriteLine(parsed.GetValue(json) ? Json(genuine, cookie) : Words(genuine, cookie, time));
            return genuine ? 0 : CommandOptions.Failure;
        }, CommandOptions.Misuse));
        return command;
    }

    private static string Json(bool genuine, in Cookie cookie)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteBoolean("genuine", genuine);
            if (genuine)
            {
                writer.WriteString("resolver", cookie.Resolver.Describe(cookie.Ecs));
                writer.WriteNumber("mintedAt", cookie.MintedAt);
                writer.WriteNumber("service", cookie.Service);
                writer.WriteBoolean("verified", cookie.Verified);
                writer.WriteBoolean("ecs", cookie.Ecs);
                writer.WriteNumber("epoch", cookie.Epoch);
            }
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private static string Words(bool genuine, in Cookie cookie, long time)
    {
        if (!genuine)
            return "false: not minted with this master for this prefix within the last two days";
        var minted = DateTimeOffset.FromUnixTimeSeconds(cookie.MintedAt).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"""
            genuine
            resolver  {cookie.Resolver.Describe(cookie.Ecs) ?? "unknown"}{(cookie.Ecs ? " (from EDNS Client Subnet)" : "")}
            minted    {minted}, {cookie.AgeAt(time)} s before
            service   {cookie.Service}
            verified  {(cookie.Verified ? "yes" : "no")}
            epoch     {cookie.Epoch}
            """);
    }
}
