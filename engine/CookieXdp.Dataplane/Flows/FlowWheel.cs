using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// The timing wheel: a slot for each second, an entry in the slot of its deadline. A frame does not move its flow: when the slot
/// comes up, whoever turns the wheel looks at the flow's last frame, and either forgets it or puts it further on. So the work is a few
/// entries a second, whatever the number of flows. One thread at a time.
/// </summary>
internal sealed unsafe class FlowWheel : IDisposable
{
    /// <summary>Slots: a power of two, more than the longest time has seconds.</summary>
    private const int Slots = 8192;

    private readonly FlowLinks* _links;
    private readonly FlowBook* _book;
    private readonly int* _first;

    internal FlowWheel(FlowLinks* links, FlowBook* book)
    {
        _links = links;
        _book = book;
        _first = (int*)NativeMemory.AlignedAlloc(Slots * sizeof(int), 64);
        new Span<int>(_first, Slots).Fill(FlowLinks.None);
    }

    /// <summary>Whether the wheel has seconds to go through. May be asked by any thread at any time.</summary>
    internal bool IsBehind(uint now) => Volatile.Read(ref _book->WheelCount) > 0 && (int)(now - Volatile.Read(ref _book->WheelSecond)) > 0;

    /// <summary>Puts an entry where its deadline is.</summary>
    internal void Add(int entry, uint deadline, uint now)
    {
        // An empty wheel need not be turned to be at any second.
        if (_book->WheelCount == 0)
            Volatile.Write(ref _book->WheelSecond, now);
        // A deadline that has passed is due at the next turn; one beyond the wheel's end is looked at once more on its way.
        var ahead = Math.Clamp((int)(deadline - _book->WheelSecond), 1, Slots - 1);
        var slot = (int)((_book->WheelSecond + (uint)ahead) % Slots);
        var first = _first[slot];
        _links[entry].WheelNext = first;
        _links[entry].WheelPrevious = ~slot;
        if (first != FlowLinks.None)
            _links[first].WheelPrevious = entry;
        _first[slot] = entry;
        Volatile.Write(ref _book->WheelCount, _book->WheelCount + 1);
    }

    /// <summary>Takes an entry out.</summary>
    internal void Remove(int entry)
    {
        var (next, previous) = (_links[entry].WheelNext, _links[entry].WheelPrevious);
        if (previous < 0)
            _first[~previous] = next;
        else
            _links[previous].WheelNext = next;
        if (next != FlowLinks.None)
            _links[next].WheelPrevious = previous;
        Volatile.Write(ref _book->WheelCount, _book->WheelCount - 1);
    }

    /// <summary>Turns the wheel to the next second that has entries, up to now, and takes one of them out.</summary>
    /// <returns>An entry that may be due; none when all seconds up to now are done.</returns>
    internal int TakeNext(uint now)
    {
        if (_book->WheelCount == 0)
            return FlowLinks.None;
        while ((int)(now - _book->WheelSecond) > 0)
        {
            var entry = _first[(_book->WheelSecond + 1) % Slots];
            if (entry != FlowLinks.None)
            {
                Remove(entry);
                return entry;
            }
            Volatile.Write(ref _book->WheelSecond, _book->WheelSecond + 1);
        }
        return FlowLinks.None;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_first);
}
