namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// Takes over the flow file that an engine before has left, whatever became of that engine, or begins a new one. A file that is not in every
/// part what it must be is set aside, never trusted.
/// </summary>
public sealed class FlowTakeover
{
    private readonly string _path;

    private FlowTakeover(string path) => _path = path;

    /// <summary>The table, in the file.</summary>
    public FlowTable Table { get; private set; } = null!;

    /// <summary>Entries that were found half-written and are free again.</summary>
    public int Reclaimed { get; private set; }

    /// <summary>Flows of a file of another capacity that found no room.</summary>
    public int LeftOut { get; private set; }

    /// <summary>Why a file was set aside, and under which name; null where none was.</summary>
    public string? SetAside { get; private set; }

    /// <summary>Whether an operator should look.</summary>
    public bool IsRemarkable => SetAside is not null || LeftOut > 0;

    /// <summary>Takes a file over, or makes one.</summary>
    /// <param name="path">The file.</param>
    /// <param name="capacity">Flows at a time. A file of another capacity is made anew with as many of its flows as fit, established ones first.</param>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    /// <exception cref="IOException">Another process has the file, it cannot be made, or there is no room for it.</exception>
    public static FlowTakeover Run(string path, int capacity, uint now)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        var takeover = new FlowTakeover(path);
        try
        {
            if (FlowFile.TryOpen(path, now) is { } file)
                takeover.Take(file, capacity, now);
        }
        catch (InvalidDataException e)
        {
            takeover.SetAside = $"set aside as {FlowFile.SetAside(path)}, because {e.Message}";
        }
        takeover.Table ??= Begin(path, capacity, now);
        return takeover;
    }

    /// <summary>One line for the log.</summary>
    public override string ToString()
    {
        var line = $"flow table {_path}: ";
        if (SetAside is not null)
            return $"{line}{SetAside}; a new one begins";
        line += Table.Adopted > 0 || Reclaimed > 0 ? $"adopted {Table.Adopted} flow(s), {Reclaimed} half-written reclaimed" : "no flow to adopt";
        return LeftOut > 0 ? $"{line}; {LeftOut} had no room: edge.flows is less than it was" : line;
    }

    private void Take(FlowFile file, int capacity, uint now)
    {
        // As a table it checks every entry, each against the others, too.
        var table = Adopt(file, now);
        Reclaimed = table.Reclaimed;
        Table = table.Capacity == capacity ? table : Carry(table, file.Header.Hash, capacity, now);
    }

    private static FlowTable Adopt(FlowFile file, uint now)
    {
        var memory = file.ToMemory();
        try
        {
            return new FlowTable(memory, now);
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    private static FlowTable Begin(string path, int capacity, uint now)
    {
        var file = FlowFile.Create(path, capacity, now, FlowHash.Create());
        var table = Adopt(file, now);
        file.PutInPlace();
        return table;
    }

    /// <summary>Takes the flows over into a file of another capacity. Until that is whole, the old one stands in its place.</summary>
    private FlowTable Carry(FlowTable from, in FlowHash hash, int capacity, uint now)
    {
        using var old = from;
        LeftOut = Math.Max(0, old.Adopted - capacity);
        // A table that has lost established flows is a new one: they may be rebuilt from their cookies.
        var hasLost = old.CountOf(FlowState.Established) > capacity;
        var file = FlowFile.Create(_path, capacity, hasLost ? now : old.Created, hash);
        old.CopyTo(file.ToMemory());
        var table = Adopt(file, now);
        file.PutInPlace();
        return table;
    }
}
