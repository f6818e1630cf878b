using System.Diagnostics;

namespace CookieXdp.Lab;

/// <summary>One command of the machine, to be run to its end or kept running, in a network namespace and with files of its own where asked.</summary>
/// <param name="Program">The program's name or path.</param>
/// <param name="Arguments">Its arguments, unquoted.</param>
public sealed record Command(string Program, params IReadOnlyList<string> Arguments)
{
    /// <summary>The network namespace it runs in; null: that of the caller.</summary>
    public Namespace? In { get; init; }

    /// <summary>Files and folders (Source) that it alone sees in place of others (Target, which must exist), in a mount namespace of its own.</summary>
    public IReadOnlyList<(string Source, string Target)> Binds { get; init; } = [];

    /// <summary>What is written to its standard input.</summary>
    public string Input { get; init; } = "";

    /// <summary>Variables added to its environment.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The folder it starts in; null: the caller's.</summary>
    public string? Folder { get; init; }

    /// <summary>The command as one would type it, without namespace and binds.</summary>
    public string Line => string.Join(' ', [Program, .. Arguments]);

    /// <summary>Runs it to its end.</summary>
    /// <param name="timeout">After this it is killed; 30 seconds where null.</param>
    /// <param name="cancellation">Kills it too.</param>
    /// <exception cref="LabException">It did not end in time, or could not be started.</exception>
    public async Task<CommandResult> RunAsync(TimeSpan? timeout = null, CancellationToken cancellation = default)
    {
        var limit = timeout ?? TimeSpan.FromSeconds(30);
        using var process = Start();
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timer.CancelAfter(limit);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(timer.Token);
            var error = process.StandardError.ReadToEndAsync(timer.Token);
            await WriteInputAsync(process).WaitAsync(timer.Token);
            await process.WaitForExitAsync(timer.Token);
            return new(Line, process.ExitCode, await output, await error);
        }
        catch (OperationCanceledException error)
        {
            SystemCalls.Signal(-process.Id, SystemCalls.Kill);
            cancellation.ThrowIfCancellationRequested();
            throw new LabException($"`{Line}` did not end within {limit.TotalSeconds:0.#} s", error);
        }
    }

    /// <summary>Starts it as the leader of a session of its own: a Ctrl-C at the terminal is for the caller, who stops things in order.</summary>
    internal Process Start()
    {
        var start = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        if (Folder is not null)
            start.WorkingDirectory = Folder;
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        foreach (var argument in Wrapped())
            start.ArgumentList.Add(argument);
        try
        {
            return Process.Start(start) ?? throw new LabException($"`{Line}` could not be started");
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            throw new LabException($"`{Line}` could not be started: {error.Message}", error);
        }
    }

    private async Task WriteInputAsync(Process process)
    {
        try
        {
            await process.StandardInput.WriteAsync(Input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of it; its exit code tells the rest.
        }
    }

    private IEnumerable<string> Wrapped()
    {
        // `ip netns exec` makes a mount namespace of its own (for /sys), so binds made inside it are private already.
        if (In is not null)
            foreach (var word in (string[])["ip", "netns", "exec", In.Name])
                yield return word;
        else if (Binds.Count > 0)
            foreach (var word in (string[])["unshare", "--mount", "--"])
                yield return word;

        if (Binds.Count > 0)
        {
            yield return "sh";
            yield return "-c";
            yield return "set -e; while [ \"$1\" != -- ]; do mount --bind \"$1\" \"$2\"; shift 2; done; shift; exec \"$@\"";
            yield return "sh";
            foreach (var (source, target) in Binds)
            {
                yield return source;
                yield return target;
            }

            yield return "--";
        }

        yield return Program;
        foreach (var argument in Arguments)
            yield return argument;
    }
}
