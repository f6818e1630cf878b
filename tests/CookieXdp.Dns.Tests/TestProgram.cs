using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace CookieXdp.Dns.Tests;

/// <summary>A program that a test starts and ends, with all it said.</summary>
internal sealed class TestProgram : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _standardOutput = new();
    private readonly Task _reading;

    private TestProgram(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _standardOutput), ReadAsync(process.StandardError, _output));
    }

    /// <summary>Its standard error so far.</summary>
    internal string Output => TextOf(_output);

    /// <summary>Its standard output so far.</summary>
    internal string StandardOutput => TextOf(_standardOutput);

    /// <param name="program">Its name or path.</param>
    /// <param name="origin">What installs it: a Debian package, or make.</param>
    /// <param name="arguments">Its arguments.</param>
    internal static TestProgram Start(string program, string origin, params string[] arguments)
    {
        // unbound is among the super-user's programs, which a user's path may lack.
        var path = new[] { "/usr/sbin", "/sbin" }.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists) ?? program;
        var start = new ProcessStartInfo(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false };
        try
        {
            var process = Process.Start(start)!;
            process.StandardInput.Close();
            return new(process);
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{program} is missing; it comes with {(origin == "make" ? "the build" : $"Debian's package {origin}")}: {e.Message}", e);
        }
    }

    /// <summary>Waits until it has said something on standard error.</summary>
    internal async Task WaitForAsync(string text)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (!Output.Contains(text, StringComparison.Ordinal))
        {
            Assert.False(_process.HasExited || TimeProvider.System.GetElapsedTime(begin) > _patience, $"{_process.StartInfo.FileName} never said '{text}'; it said:\n{Output}{StandardOutput}");
            await Task.Delay(20);
        }
    }

    internal async Task<int> WaitForExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(_patience);
        await _reading.WaitAsync(_patience);
        return _process.ExitCode;
    }

    internal async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync().WaitAsync(_patience);
        }
        await _reading.WaitAsync(_patience);
        _process.Dispose();
    }

    private static string TextOf(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }

    private static async Task ReadAsync(StreamReader reader, StringBuilder text)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (text)
                text.Append(line).Append('\n');
        }
    }
}
