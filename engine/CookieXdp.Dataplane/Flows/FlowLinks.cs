using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// An entry's neighbours in the timing wheel and in the list of its state, or, once it is free, in the list of free ones. Private memory
/// beside the flow file: a process that is killed in the middle of a change damages nothing that the next one reads.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
internal struct FlowLinks
{
    /// <summary>No neighbour.</summary>
    internal const int None = -1;

    /// <summary>The next entry in its slot of the wheel.</summary>
    [FieldOffset(0)]
    internal int WheelNext;

    /// <summary>The entry before it in its slot of the wheel; for the first one, the slot's complement.</summary>
    [FieldOffset(4)]
    internal int WheelPrevious;

    /// <summary>The epoch in which a free entry was given back.</summary>
    [FieldOffset(0)]
    internal long FreedAt;

    [FieldOffset(8)]
    internal int Older;

    [FieldOffset(12)]
    internal int Newer;

    /// <summary>The next free entry.</summary>
    [FieldOffset(8)]
    internal int NextFree;
}

/// <summary>
/// What changes of a table as a whole: apart from what readers read, and the parts that different threads write in lines of their own.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 5 * 64)]
internal struct FlowBook
{
    /// <summary>1 while somebody changes the table.</summary>
    [FieldOffset(0)]
    internal int Lock;

    /// <summary>Grows with each entry that is given back (<see cref="FlowReaders"/>).</summary>
    [FieldOffset(64)]
    internal long Epoch;

    /// <summary>By <see cref="FlowState"/>; of the established flows only the number is kept.</summary>
    [FieldOffset(128)]
    internal FlowList HalfOpen;

    [FieldOffset(144)]
    internal FlowList Established;

    [FieldOffset(160)]
    internal FlowList Closing;

    /// <summary>Free entries that no reader can see any more.</summary>
    [FieldOffset(192)]
    internal int FirstFree;

    /// <summary>Entries given back that a reader may still see, the oldest first.</summary>
    [FieldOffset(196)]
    internal int FirstWaiting;

    [FieldOffset(200)]
    internal int LastWaiting;

    /// <summary>The last second that the wheel has wholly gone through.</summary>
    [FieldOffset(256)]
    internal uint WheelSecond;

    /// <summary>Entries in the wheel.</summary>
    [FieldOffset(260)]
    internal int WheelCount;
}

/// <summary>The flows of a state in the order of their last frame.</summary>
[StructLayout(LayoutKind.Sequential, Size = 16)]
internal unsafe struct FlowList
{
    internal int Oldest;
    internal int Newest;
    internal int Count;

    /// <summary>A list without entries.</summary>
    internal static FlowList Empty => new() { Oldest = FlowLinks.None, Newest = FlowLinks.None };

    /// <summary>Adds an entry as the newest.</summary>
    internal void Append(FlowLinks* links, int entry)
    {
        links[entry].Older = Newest;
        links[entry].Newer = FlowLinks.None;
        if (Newest == FlowLinks.None)
            Oldest = entry;
        else
            links[Newest].Newer = entry;
        Newest = entry;
        Volatile.Write(ref Count, Count + 1);
    }

    /// <summary>Takes an entry out.</summary>
    internal void Unlink(FlowLinks* links, int entry)
    {
        var (older, newer) = (links[entry].Older, links[entry].Newer);
        if (older == FlowLinks.None)
            Oldest = newer;
        else
            links[older].Newer = newer;
        if (newer == FlowLinks.None)
            Newest = older;
        else
            links[newer].Older = older;
        Volatile.Write(ref Count, Count - 1);
    }
}
