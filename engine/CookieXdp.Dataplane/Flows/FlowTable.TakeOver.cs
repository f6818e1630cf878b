namespace CookieXdp.Dataplane.Flows;

/// <content>What an engine does with the entries that one before has left.</content>
public sealed unsafe partial class FlowTable
{
    /// <summary>Entries by which their buckets are fetched ahead: two thirds of the time, in which no frame passes.</summary>
    private const int FetchedAhead = 16;

    /// <summary>Copies as many flows as there is room for into a memory that has none: established ones first, then half-open ones.</summary>
    internal void CopyTo(FlowMemory other)
    {
        var next = 0;
        foreach (var state in (ReadOnlySpan<FlowState>)[FlowState.Established, FlowState.HalfOpen, FlowState.Closing])
        {
            for (var entry = 0; entry < _memory.Entries && next < other.Capacity; entry++)
            {
                if (_flows[entry].State == state)
                    other.Flows[next++] = _flows[entry];
            }
        }
    }

    /// <summary>Makes index, timers and order from the entries that are there.</summary>
    private void TakeOver(uint now)
    {
        var ordered = 0;
        for (var entry = 0; entry < _memory.Entries; entry++)
        {
            PrefetchBuckets(entry + FetchedAhead);
            ref readonly var flow = ref _flows[entry];
            if ((byte)flow.Word is (byte)FlowState.Free or Flow.Writing)
                continue;
            if (FlowCheck.ProblemOf(flow, _hash, now) is { } problem)
                throw new InvalidDataException($"entry {entry} {problem}");
            // The index has no room for more.
            if (Adopted == Capacity)
                throw new InvalidDataException($"it holds more flows than its {Capacity}");
            Adopt(entry, now);
            if (_flows[entry].State != FlowState.Established)
                ordered++;
        }
        EnlistByAge(ordered);
        // From the last down, so that the first entries are taken first.
        for (var entry = _memory.Entries - 1; entry >= 0; entry--)
        {
            if ((byte)_flows[entry].Word is not ((byte)FlowState.Free or Flow.Writing))
                continue;
            Reclaimed += (byte)_flows[entry].Word == Flow.Writing ? 1 : 0;
            _flows[entry].Word = (uint)FlowState.Free;
            _pool.Add(entry);
        }
    }

    private void PrefetchBuckets(int entry)
    {
        if (entry >= _memory.Entries || _flows[entry].State == FlowState.Free)
            return;
        _index.Prefetch(_hash.OfClient(_flows[entry].ClientKey));
        _index.Prefetch(_hash.OfBackend(_flows[entry].BackendKey));
    }

    private void Adopt(int entry, uint now)
    {
        ref readonly var flow = ref _flows[entry];
        var clientHash = _hash.OfClient(flow.ClientKey);
        var backendHash = _hash.OfBackend(flow.BackendKey);
        if (_index.FindByClient(flow.ClientKey, clientHash) is not null || _index.FindByBackend(flow.BackendKey, backendHash) is not null)
            throw new InvalidDataException($"entry {entry} is there twice");
        _index.Add(clientHash, entry);
        _index.Add(backendHash, entry);
        _wheel.Add(entry, FlowTimes.DeadlineOf(flow, _flows[entry].State), now);
        if (_flows[entry].State == FlowState.Established)
            Enlist(entry, FlowState.Established);
        Adopted++;
    }

    /// <summary>Puts the flows that can be shed into the order of their last frame.</summary>
    private void EnlistByAge(int count)
    {
        var ages = new ulong[count];
        var next = 0;
        for (var entry = 0; next < count; entry++)
        {
            if ((FlowState)(byte)_flows[entry].Word is FlowState.HalfOpen or FlowState.Closing)
                ages[next++] = (ulong)_flows[entry].LastSeen << 32 | (uint)entry;
        }
        Array.Sort(ages);
        foreach (var age in ages)
            Enlist((int)(uint)age, _flows[(int)(uint)age].State);
    }
}
