namespace CookieXdp.Lab;

/// <summary>The folder of one run, <c>out/lab/ID</c>: configurations, logs, mail, captures. Removed at the end unless <see cref="Keep"/>.</summary>
public sealed class LabFolder : IDisposable
{
    private LabFolder(string id, string path)
    {
        Id = id;
        Path = path;
    }

    /// <summary>What tells this run's namespaces and files from another's, six hexadecimal digits.</summary>
    public string Id { get; }

    /// <summary>The folder's full path.</summary>
    public string Path { get; }

    /// <summary>Whether it stays after the run: asked for with KEEP=1, or set because something failed.</summary>
    public bool Keep { get; set; } = LabSurroundings.Keep;

    /// <summary>Makes a folder with a new id.</summary>
    public static LabFolder Create()
    {
        var id = Guid.NewGuid().ToString("N")[..6];
        var path = System.IO.Path.Combine(LabSurroundings.Repository, "out", "lab", id);
        Directory.CreateDirectory(path);
        return new(id, path);
    }

    /// <summary>The full path of a file or folder in it.</summary>
    public string In(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    /// <summary>Makes a folder in it and returns its full path.</summary>
    public string MakeFolder(params ReadOnlySpan<string> parts) => Directory.CreateDirectory(In(parts)).FullName;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!Keep && Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }
}
