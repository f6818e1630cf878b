namespace CookieXdp.Dns.Commands;

/// <summary>How a command that cannot go on says so.</summary>
internal static class Failure
{
    /// <summary>Writes to standard error.</summary>
    /// <returns>The exit code.</returns>
    internal static int Tell(string message)
    {
        Console.Error.WriteLine(message);
        return 1;
    }
}
