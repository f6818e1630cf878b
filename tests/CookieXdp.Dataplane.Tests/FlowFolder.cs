using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>A folder in /dev/shm for the flow file of a test, gone afterwards.</summary>
internal sealed class FlowFolder : IDisposable
{
    /// <summary>When a table of a test begins.</summary>
    public const uint Now = 1000;

    private readonly string _folder = Path.Combine("/dev/shm", "flows-" + Guid.NewGuid().ToString("N"));

    public FlowFolder() => Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    public string File => Path.Combine(_folder, "flows");

    public string SetAsideFile => File + ".set-aside";

    public IEnumerable<string> Names => Directory.EnumerateFileSystemEntries(_folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    public FlowTakeover TakeOver(int capacity = 8, uint now = Now) => FlowTakeover.Run(File, capacity, now);

    /// <summary>Leaves a file with flows behind, as an engine that ends does: established, half-open, closing, and so on.</summary>
    public void Leave(uint flows = 6, int capacity = 8)
    {
        using var table = TakeOver(capacity).Table;
        for (uint id = 0; id < flows; id++)
        {
            FlowModel.Do(table, FlowOperation.Add, id, Side.Uplink, Now);
            if (id % 3 == 0)
                FlowModel.Do(table, FlowOperation.Establish, id, Side.Uplink, Now);
            if (id % 3 == 2)
                FlowModel.Do(table, FlowOperation.Close, id, Side.Uplink, Now);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
