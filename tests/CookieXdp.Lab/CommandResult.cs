namespace CookieXdp.Lab;

/// <summary>How a command ended.</summary>
/// <param name="Line">The command as one would type it.</param>
/// <param name="ExitCode">Its exit code; 128 + n when signal n ended it.</param>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Error">What it wrote to standard error.</param>
public sealed record CommandResult(string Line, int ExitCode, string Output, string Error)
{
    /// <summary>Itself, where the command ended well.</summary>
    /// <exception cref="LabException">It did not; the message has the command, its code and its words.</exception>
    public CommandResult Demand() =>
        ExitCode == 0 ? this : throw new LabException($"`{Line}` ended with code {ExitCode}: {(Error + Output).Trim()}");
}
