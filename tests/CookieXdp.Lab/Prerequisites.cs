namespace CookieXdp.Lab;

/// <summary>The programs of others that the lab runs. A missing one is an error that names its Debian package, never a reason to skip.</summary>
public static class Prerequisites
{
    private static readonly (string Command, string Package)[] _commands =
    [
        ("ip", "iproute2"),
        ("ping", "iputils-ping"),
        ("ethtool", "ethtool"),
        ("sysctl", "procps"),
        ("mount", "mount"),
        ("setsid", "util-linux"),
        ("unshare", "util-linux"),
        ("nsenter", "util-linux"),
        ("unbound", "unbound"),
        ("postfix", "postfix"),
        ("sendmail", "postfix"),
        ("swaks", "swaks"),
        ("dig", "bind9-dnsutils"),
        ("dumpcap", "wireshark-common"),
        ("tshark", "tshark"),
        ("perl", "perl"),
    ];

    // Without it swaks has no IPv6, and says so only when it is too late.
    private const string PerlModule = "IO::Socket::INET6";
    private const string PerlModulePackage = "libio-socket-inet6-perl";

    /// <summary>Checks that all is there: commands, root, and the surroundings that tests/lab.sh makes.</summary>
    /// <exception cref="LabException">Something is missing; the message names all of it, with packages.</exception>
    public static async Task DemandAsync()
    {
        var missing = _commands.Where(needed => !IsThere(needed.Command)).ToList();
        if (IsThere("perl") && IsThere("setsid") && (await new Command("perl", "-M" + PerlModule, "-e1").RunAsync()).ExitCode != 0)
            missing.Add((PerlModule, PerlModulePackage));
        if (missing.Count > 0)
        {
            throw new LabException(
                $"missing: {string.Join(", ", missing.Select(needed => $"{needed.Command} (Debian package {needed.Package})"))}. Install with: "
                + $"apt-get install --no-install-recommends {string.Join(' ', missing.Select(needed => needed.Package).Distinct(StringComparer.Ordinal))}");
        }

        if (!SystemCalls.IsRoot)
            throw new LabException("network namespaces and XDP need root: run it by tests/lab.sh, which asks sudo");
        _ = LabSurroundings.Holder;
    }

    private static bool IsThere(string command) => Array.Exists(
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries),
        folder => File.Exists(Path.Combine(folder, command)));
}
