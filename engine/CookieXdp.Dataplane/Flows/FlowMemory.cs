namespace CookieXdp.Dataplane.Flows;

/// <summary>Where a table's entries lie: in memory of this process, or in a flow file that outlives it. Whoever has it disposes it.</summary>
internal sealed unsafe class FlowMemory : IDisposable
{
    private readonly IDisposable _owner;

    /// <summary>Names the parts of a memory.</summary>
    /// <param name="owner">What holds the memory; disposed with it.</param>
    /// <param name="flows">The first entry.</param>
    /// <param name="capacity">Flows at a time.</param>
    /// <param name="hash">The secrets.</param>
    /// <param name="created">When the table began, in seconds of <see cref="FlowClock"/>.</param>
    internal FlowMemory(IDisposable owner, Flow* flows, int capacity, in FlowHash hash, uint created)
    {
        _owner = owner;
        Flows = flows;
        Capacity = capacity;
        Hash = hash;
        Created = created;
    }

    internal Flow* Flows { get; }

    internal int Capacity { get; }

    /// <summary>Entries: some more than flows, for those given back that a reader may still see.</summary>
    internal int Entries => EntriesOf(Capacity);

    internal FlowHash Hash { get; }

    internal uint Created { get; }

    /// <summary>Entries that a table of a capacity has.</summary>
    internal static int EntriesOf(int capacity) => capacity + Math.Max(1024, capacity / 32);

    /// <summary>Memory of this process.</summary>
    internal static FlowMemory Private(int capacity, uint created)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        var pages = new NativePages((nuint)EntriesOf(capacity) * Flow.Length);
        return new(pages, (Flow*)pages.Memory, capacity, FlowHash.Create(), created);
    }

    /// <inheritdoc/>
    public void Dispose() => _owner.Dispose();
}
