using System.Diagnostics;
using System.Runtime.Intrinsics.X86;

namespace CookieXdp.Dataplane.Flows;

/// <content>What adds and removes flows, and who goes where the table is full.</content>
public sealed unsafe partial class FlowTable
{
    /// <summary>
    /// Adds a half-open flow. Where the client's port is in use towards that backend by another of its connections it gets another one there. Where
    /// the table is full the oldest closing flow goes, else the oldest half-open one, never an established one.
    /// </summary>
    /// <param name="client">Addresses and ports of its frames from the client.</param>
    /// <param name="backend">Addresses and ports of its frames from the backend, with the client's own port.</param>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    /// <param name="keepPort">Whether no other port than the client's own will do.</param>
    /// <param name="flow">The flow; the one that another thread has just added, where one has.</param>
    /// <returns>None, or why there is no flow.</returns>
    internal DropReason Add(in FlowKey client, in FlowKey backend, uint now, bool keepPort, out Flow* flow)
    {
        var clientHash = _hash.OfClient(client);
        var backendHash = _hash.OfBackend(backend);
        _index.Prefetch(clientHash);
        _index.Prefetch(backendHash);
        Lock();
        var drop = AddLocked(client, clientHash, backend, backendHash, now, keepPort, out flow);
        Unlock();
        return drop;
    }

    /// <summary>Forgets a flow, unless another thread just has.</summary>
    internal void Remove(Flow* flow)
    {
        Lock();
        if (flow->State != FlowState.Free)
            RemoveLocked(flow);
        Unlock();
    }

    private DropReason AddLocked(in FlowKey client, ulong clientHash, FlowKey backend, ulong backendHash, uint now, bool keepPort, out Flow* flow)
    {
        flow = _index.FindByClient(client, clientHash);
        if (flow is not null)
            return DropReason.None;
        if (!TryGetPort(ref backend, ref backendHash, clientHash, keepPort))
            return DropReason.ClientPortInUse;
        var entry = IsFull && !TryShed() ? FlowLinks.None : _pool.Take();
        // Entries may also be short for a moment because a thread that looked them up has been held up in the middle of a batch.
        if (entry == FlowLinks.None)
            return DropReason.FlowTableFull;
        PrefetchForWriting(_book->FirstFree);
        flow = _flows + entry;
        Write(flow, client, backend, now);
        _index.Add(clientHash, entry);
        _index.Add(backendHash, entry);
        Enlist(entry, FlowState.HalfOpen);
        _wheel.Add(entry, FlowTimes.DeadlineOf(*flow, FlowState.HalfOpen), now);
        return DropReason.None;
    }

    /// <summary>Has the lines of the entry fetched that the next flow will get.</summary>
    private void PrefetchForWriting(int entry)
    {
        if (!Sse.IsSupported || entry == FlowLinks.None)
            return;
        var flow = _flows + entry;
        Sse.Prefetch0(flow);
        Sse.Prefetch0(&flow->Client);
        Sse.Prefetch0(&flow->Backend);
        Sse.Prefetch0(_links + entry);
    }

    private bool IsFull => _book->HalfOpen.Count + _book->Established.Count + _book->Closing.Count >= Capacity;

    /// <summary>Writes an entry that nobody sees yet, and publishes it to whoever takes the file over.</summary>
    private void Write(Flow* flow, in FlowKey client, in FlowKey backend, uint now)
    {
        Volatile.Write(ref flow->Word, Flow.Writing);
        flow->ClientHigh = client.ClientHigh;
        flow->ClientLow = client.ClientLow;
        flow->CookieHigh = client.NearHigh;
        flow->CookieLow = client.NearLow;
        flow->BackendHigh = backend.NearHigh;
        flow->BackendLow = backend.NearLow;
        flow->ClientPorts = client.Ports;
        flow->BackendPorts = backend.Ports;
        flow->ForwardDelta = Rewriter.DeltaOf(client, backend);
        flow->BackendHint = 0;
        flow->Client = new FlowSide { LastSeen = now };
        flow->Backend = new FlowSide { LastSeen = now };
        flow->Publish(FlowState.HalfOpen, _hash.SealOf(*flow));
    }

    /// <summary>Finds a port towards the backend that no other flow of the client has there.</summary>
    private bool TryGetPort(ref FlowKey backend, ref ulong hash, ulong seed, bool keepPort)
    {
        var other = _index.FindByBackend(backend, hash);
        if (other is null)
            return true;
        // The client itself takes the port of a connection that has ended.
        if (other->State == FlowState.Closing)
        {
            RemoveLocked(other);
            return true;
        }
        if (keepPort)
            return false;
        for (var attempt = 0; attempt < FlowPort.Attempts; attempt++)
        {
            var key = backend.FromPort(FlowPort.Candidate(seed, attempt));
            var keyHash = _hash.OfBackend(key);
            if (_index.FindByBackend(key, keyHash) is not null)
                continue;
            (backend, hash) = (key, keyHash);
            return true;
        }
        // Whoever forges enough of them could else keep the client out: of those, the one on its own port goes.
        if (other->State != FlowState.HalfOpen)
            return false;
        RemoveLocked(other);
        return true;
    }

    private bool TryShed()
    {
        // What has ended goes before what begins: else ended connections, which stay for minutes, would leave no room for a handshake.
        var victim = _book->Closing.Oldest;
        if (victim == FlowLinks.None)
            victim = _book->HalfOpen.Oldest;
        if (victim == FlowLinks.None)
            return false;
        RemoveLocked(_flows + victim);
        return true;
    }

    private void RemoveLocked(Flow* flow)
    {
        var entry = EntryOf(flow);
        var state = flow->State;
        Debug.Assert(state is FlowState.HalfOpen or FlowState.Established or FlowState.Closing, "what is removed is there");
        // First in the file: were this process killed now, the next one would not meet the flow beside the one that takes its port.
        Volatile.Write(ref flow->Word, (uint)FlowState.Free);
        _index.Remove(_hash.OfClient(flow->ClientKey), entry);
        _index.Remove(_hash.OfBackend(flow->BackendKey), entry);
        Unlist(entry, state);
        _wheel.Remove(entry);
        _pool.GiveBack(entry);
    }
}
