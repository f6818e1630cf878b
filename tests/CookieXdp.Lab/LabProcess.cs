using System.Diagnostics;

namespace CookieXdp.Lab;

/// <summary>A program that runs in the lab. Its lines, standard output and standard error alike, are kept and written to <c>NAME.log</c>.</summary>
public sealed class LabProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly StreamWriter _log;
    private readonly Task _reading;
    private TaskCompletionSource _arrival = NewArrival();

    private LabProcess(string name, Command command, Process process, string logFile)
    {
        Name = name;
        Command = command;
        LogFile = logFile;
        _process = process;
        _log = new(logFile, append: true) { AutoFlush = true };
        process.StandardInput.Close();
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput), ReadAsync(process.StandardError));
    }

    /// <summary>What the lab calls it.</summary>
    public string Name { get; }

    /// <summary>What was started.</summary>
    public Command Command { get; }

    /// <summary>The file that has all its lines.</summary>
    public string LogFile { get; }

    /// <summary>Its process id, the same as its process group's.</summary>
    public int Id => _process.Id;

    /// <summary>Whether it still runs.</summary>
    public bool IsRunning => !_process.HasExited;

    /// <summary>Its exit code once it has ended, 128 + n after signal n; null while it runs.</summary>
    public int? ExitCode => _process.HasExited ? _process.ExitCode : null;

    /// <summary>Whether stopping signals all of its process group: for a program that is started by a shell which does not pass signals on.</summary>
    public bool StopsAsGroup { get; init; }

    /// <summary>How long it may take to end after SIGTERM before SIGKILL follows.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A copy of all lines so far.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    /// <summary>Starts it.</summary>
    /// <param name="folder">Where its log goes.</param>
    /// <param name="name">What the lab calls it, and its log file.</param>
    /// <param name="command">What to start.</param>
    /// <param name="stopsAsGroup">See <see cref="StopsAsGroup"/>.</param>
    public static LabProcess Start(LabFolder folder, string name, Command command, bool stopsAsGroup = false)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(command);
        return new(name, command, command.Start(), folder.In(name + ".log")) { StopsAsGroup = stopsAsGroup };
    }

    /// <summary>The first line that has the text, waiting for it where there is none yet.</summary>
    /// <param name="text">Part of a line.</param>
    /// <param name="timeout">How long to wait; 10 seconds where null.</param>
    /// <param name="from">The line to begin at, as counted before something was set going.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="LabException">No such line came in time, or the program ended first; the message shows its last lines.</exception>
    public Task<string> WaitForLineAsync(string text, TimeSpan? timeout = null, int from = 0, CancellationToken cancellation = default) =>
        WaitForLineAsync(line => line.Contains(text, StringComparison.Ordinal), $"a line with '{text}'", timeout, from, cancellation);

    /// <summary>The first line for which <paramref name="wanted"/> holds, waiting for it where there is none yet.</summary>
    /// <inheritdoc cref="WaitForLineAsync(string, TimeSpan?, int, CancellationToken)"/>
    public async Task<string> WaitForLineAsync(
        Func<string, bool> wanted, string description, TimeSpan? timeout = null, int from = 0, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        var limit = timeout ?? TimeSpan.FromSeconds(10);
        var watch = Stopwatch.StartNew();
        var seen = from;
        while (true)
        {
            // Asked before the lines are searched: what a program wrote before its end has then been seen.
            var ended = _reading.IsCompleted;
            Task next;
            lock (_lines)
            {
                for (; seen < _lines.Count; seen++)
                    if (wanted(_lines[seen]))
                        return _lines[seen];
                next = _arrival.Task;
            }

            if (ended)
            {
                await _process.WaitForExitAsync(cancellation);
                throw new LabException($"{Name} ended with code {ExitCode} before it wrote {description}.\n{Tail()}");
            }

            var left = limit - watch.Elapsed;
            if (left <= TimeSpan.Zero)
                throw new LabException($"{Name} did not write {description} within {limit.TotalSeconds:0.#} s.\n{Tail()}");
            await Task.WhenAny(next, _reading, Task.Delay(left, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Its last lines, for an error's message.</summary>
    public string Tail(int count = 15)
    {
        lock (_lines)
        {
            return _lines.Count == 0
                ? $"{Name} wrote nothing ({Command.Line})"
                : $"last lines of {Name} ({Command.Line}):\n" + string.Join('\n', _lines.TakeLast(count).Select(line => "  | " + line));
        }
    }

    /// <summary>Waits for its end.</summary>
    /// <returns>Its exit code.</returns>
    /// <exception cref="LabException">It did not end in time.</exception>
    public async Task<int> WaitForExitAsync(TimeSpan timeout)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(timeout);
        }
        catch (TimeoutException error)
        {
            throw new LabException($"{Name} did not end within {timeout.TotalSeconds:0.#} s.\n{Tail()}", error);
        }

        return _process.ExitCode;
    }

    /// <summary>Ends it with SIGTERM, after <see cref="Patience"/> with SIGKILL.</summary>
    /// <returns>Its exit code: 137 where it had to be killed.</returns>
    public async Task<int> StopAsync()
    {
        if (!_process.HasExited)
        {
            SystemCalls.Signal(StopsAsGroup ? -_process.Id : _process.Id, SystemCalls.Terminate);
            try
            {
                return await WaitForExitAsync(Patience);
            }
            catch (LabException)
            {
                // It did not listen: the next signal leaves no choice.
            }
        }

        return await KillAsync();
    }

    /// <summary>Ends it, and whatever it has started in its process group, with SIGKILL at once.</summary>
    public async Task<int> KillAsync()
    {
        SystemCalls.Signal(-_process.Id, SystemCalls.Kill);
        return await WaitForExitAsync(TimeSpan.FromSeconds(5));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();

        // A grandchild in a session of its own may hold the pipes open; nobody waits for it.
        await Task.WhenAny(_reading, Task.Delay(TimeSpan.FromSeconds(1)));
        _process.Dispose();
        lock (_lines)
            _log.Dispose();
    }

    private static TaskCompletionSource NewArrival() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task ReadAsync(StreamReader reader)
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
                Add(line);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // The lab is being taken down.
        }
    }

    private void Add(string line)
    {
        TaskCompletionSource waiting;
        lock (_lines)
        {
            _lines.Add(line);
            if (_log.BaseStream is not null)
                _log.WriteLine(line);
            waiting = _arrival;
            _arrival = NewArrival();
        }

        waiting.TrySetResult();
    }
}
