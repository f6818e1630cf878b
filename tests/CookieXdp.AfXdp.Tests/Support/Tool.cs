using System.ComponentModel;
using System.Diagnostics;
using System.Reflection;

namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>Programs that the tests run, and where the repository is.</summary>
internal static class Tool
{
    internal static string RepositoryRoot { get; } = typeof(Tool).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(a => a.Key == "RepositoryRoot").Value!;

    private static readonly Dictionary<string, string> Packages = new(StringComparer.Ordinal)
    {
        ["cc"] = "gcc", ["clang"] = "clang", ["ip"] = "iproute2", ["ethtool"] = "ethtool", ["sysctl"] = "procps",
    };

    /// <summary>Runs a program and returns what it wrote; fails with that where it fails, and with the package where it is missing.</summary>
    internal static string Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        try
        {
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            if (!process.WaitForExit(TimeSpan.FromSeconds(60)))
            {
                process.Kill();
                Assert.Fail($"{program} {string.Join(' ', arguments)} did not end within a minute");
            }
            Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {error.Result}{output}");
            return output;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException($"{program} is not installed; it is in the Debian package {Packages.GetValueOrDefault(program, program)}", e);
        }
    }
}
