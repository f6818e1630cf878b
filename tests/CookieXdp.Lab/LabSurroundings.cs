namespace CookieXdp.Lab;

/// <summary>What <c>tests/lab.sh</c> hands to the program it runs.</summary>
public static class LabSurroundings
{
    /// <summary>The repository's folder.</summary>
    /// <exception cref="LabException">Not started by tests/lab.sh.</exception>
    public static string Repository => Required("LAB_REPOSITORY");

    /// <summary>A mounted bpffs that vanishes with the lab.</summary>
    /// <exception cref="LabException">Not started by tests/lab.sh.</exception>
    public static string BpfFileSystem => Required("LAB_BPFFS");

    /// <summary>The process, as seen from outside, whose mount namespace holds the lab's named network namespaces.</summary>
    /// <exception cref="LabException">Not started by tests/lab.sh.</exception>
    public static string Holder => Required("LAB_HOLDER");

    /// <summary>Whether the caller asked (<c>KEEP=1</c>) that the lab and its folder stay for a look.</summary>
    public static bool Keep => Environment.GetEnvironmentVariable("KEEP") is { Length: > 0 } and not "0";

    private static string Required(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value
            ? value
            : throw new LabException($"{variable} is not set: network namespaces are made under tests/lab.sh only, which sees to it that nothing stays behind. Run: tests/lab.sh COMMAND");
}
