namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>BPF objects, compiled once a run.</summary>
internal static class CompiledBpf
{
    private static readonly Lazy<byte[]> TheProgram = new(() =>
    {
        var built = Path.Combine(Tool.RepositoryRoot, "out/native/cookiexdp.bpf.o");
        var source = Path.Combine(Tool.RepositoryRoot, "native/cookiexdp.bpf.c");
        var header = Path.ChangeExtension(source, ".h");
        var isCurrent = File.Exists(built) && File.GetLastWriteTimeUtc(built) >= File.GetLastWriteTimeUtc(source)
            && File.GetLastWriteTimeUtc(built) >= File.GetLastWriteTimeUtc(header);
        return isCurrent ? File.ReadAllBytes(built) : Compile(source);
    });

    private static readonly Lazy<byte[]> TheRedirect = new(() => Compile(TestSource("redirect.bpf.c")));

    /// <summary>native/cookiexdp.bpf.c: what was built, or freshly compiled where that is absent or older than its source.</summary>
    internal static byte[] CookieXdp => TheProgram.Value;

    /// <summary>redirect.bpf.c.</summary>
    internal static byte[] Redirect => TheRedirect.Value;

    internal static string TestSource(string name) => Path.Combine(Tool.RepositoryRoot, "tests/CookieXdp.AfXdp.Tests/Support", name);

    internal static byte[] Compile(string source)
    {
        var folder = Directory.CreateTempSubdirectory("cxa");
        try
        {
            var target = Path.Combine(folder.FullName, "out.o");
            Tool.Run("clang", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-target", "bpf",
                $"-I/usr/include/{Tool.Run("uname", "-m").Trim()}-linux-gnu", "-c", source, "-o", target);
            return File.ReadAllBytes(target);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
