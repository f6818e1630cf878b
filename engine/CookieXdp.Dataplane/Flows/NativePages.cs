namespace CookieXdp.Dataplane.Flows;

/// <summary>Zeroed memory outside of the managed heap, touched at once, on large pages where the kernel has them, locked where the limits allow.</summary>
internal sealed unsafe class NativePages : IDisposable
{
    private readonly nuint _length;

    /// <summary>Maps it.</summary>
    /// <exception cref="IOException">There is not that much memory.</exception>
    internal NativePages(nuint length)
    {
        _length = length;
        Memory = FlowSystemCalls.MapPrivate(length);
        if (Memory == null)
            throw new IOException($"the flow table needs {length >> 20} MiB of memory, which is not there: give it fewer flows (edge.flows)");
    }

    /// <summary>Its first byte, on a page's border.</summary>
    internal byte* Memory { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Memory != null)
            FlowSystemCalls.Unmap(Memory, _length);
        Memory = null;
    }
}
