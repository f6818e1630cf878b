using System.CommandLine;
using System.Net;
using CookieXdp.Cookies;
using CookieXdp.Hosting;

namespace CookieXdp.Engine.Commands;

/// <summary>Options that several commands take, and the one way in which commands fail: a line on standard error and an exit code.</summary>
internal static class CommandOptions
{
    /// <summary>What was asked for is not so: a false cookie, a configuration with mistakes, a program that could not run.</summary>
    internal const int Failure = 1;

    /// <summary>What was asked makes no sense: a value that cannot be read.</summary>
    internal const int Misuse = 2;

    internal static Option<string> Config() => new("--config", "-c")
    {
        Description = "The configuration file.",
        DefaultValueFactory = _ => SettingsFile.DefaultPath,
    };

    internal static Option<string> Master() => new("--master") { Description = "The master file: 32 bytes, or 64 hex digits.", Required = true };

    internal static Option<string> Prefix() => new("--prefix") { Description = "The protected prefix, such as 2001:db8:25::/48.", Required = true };

    internal static Option<long?> At() => new("--at") { Description = "The time in Unix seconds; now, if not given." };

    internal static long TimeOf(long? at) => at ?? DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    /// <summary>Runs a command's body, and says its failures in one line each.</summary>
    /// <param name="body">The command.</param>
    /// <param name="failure">The exit code where a file cannot be read or makes no sense: <see cref="Misuse"/> where 1 already says something else.</param>
    internal static int Run(Func<int> body, int failure = Failure)
    {
        try
        {
            return body();
        }
        catch (SettingsException e)
        {
            Console.Error.WriteLine(e.Message);
            return Failure;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine(e.Message);
            return failure;
        }
        catch (MisuseException e)
        {
            Console.Error.WriteLine(e.Message);
            return Misuse;
        }
    }

    internal static CookiePrefix ParsePrefix(string text) =>
        CookiePrefix.TryParse(text, out var prefix, out var error) ? prefix : throw new MisuseException($"--prefix: {error}");

    internal static IPAddress ParseAddress(string name, string text) =>
        AddressText.TryParse(text, out var address) ? address : throw new MisuseException($"{name}: '{text}' is no IP address: 192.0.2.53 or 2001:db8::53 would be");

    /// <summary>Epochs are counted from 1970 on; a time before has no key.</summary>
    internal static long ParseTime(long? at) =>
        TimeOf(at) is >= 0 and < 1L << 40 and var time ? time : throw new MisuseException($"--at: {at} is no time in Unix seconds from 1970 on");
}

/// <summary>A value of the command line cannot be read; the message says which and what would be right.</summary>
internal sealed class MisuseException(string message) : Exception(message);
