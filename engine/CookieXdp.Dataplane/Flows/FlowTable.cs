using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// The flows, found by either direction's addresses and ports, shared by all workers. Looking up and following an established flow takes no lock;
/// what adds, removes, or changes a flow's state takes a short one. The entries may lie in a file that outlives the process; everything
/// else (index, timers, order, free entries) is made anew from them by whoever takes the file over.
/// </summary>
public sealed unsafe class FlowTable : IDisposable
{
    /// <summary>Entries looked at while the lock is held, when time has come for many.</summary>
    private const int ExpiredAtOnce = 32;

    private readonly FlowMemory _memory;
    private readonly Flow* _flows;
    private readonly FlowHash _hash;
    private readonly NativePages _privatePages;
    private readonly FlowLinks* _links;
    private readonly FlowBook* _book;
    private readonly FlowIndex _index;
    private readonly FlowWheel _wheel;
    private readonly FlowReaders _readers;
    private readonly FlowPool _pool;

    /// <summary>An empty table in memory of this process.</summary>
    /// <param name="capacity">Flows at a time.</param>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    public FlowTable(int capacity, uint now = 0)
        : this(FlowMemory.Private(capacity, now), now)
    {
    }

    /// <summary>A table of the flows that an engine before has left.</summary>
    /// <exception cref="InvalidDataException">An entry is not what it must be; nothing in the memory was changed.</exception>
    internal FlowTable(FlowMemory memory, uint now)
    {
        _memory = memory;
        _flows = memory.Flows;
        _hash = memory.Hash;
        _privatePages = new NativePages((nuint)sizeof(FlowBook) + (nuint)memory.Entries * (nuint)sizeof(FlowLinks));
        _book = (FlowBook*)_privatePages.Memory;
        _links = (FlowLinks*)(_book + 1);
        _book->HalfOpen = _book->Established = _book->Closing = FlowList.Empty;
        _index = new FlowIndex(_flows, memory.Capacity);
        _wheel = new FlowWheel(_links, _book);
        _readers = new FlowReaders(_book);
        _pool = new FlowPool(_links, _book, _readers);
        try
        {
            TakeOver(now);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The greatest number of flows.</summary>
    public int Capacity => _memory.Capacity;

    /// <summary>When the table began: its flows are known since then, those before it are lost. Seconds of <see cref="FlowClock"/>.</summary>
    public uint Created => _memory.Created;

    /// <summary>Flows that were taken over.</summary>
    public int Adopted { get; private set; }

    /// <summary>Entries that were found half-written and are free again.</summary>
    public int Reclaimed { get; private set; }

    /// <summary>Flows of a state; may be read at any time.</summary>
    public int CountOf(FlowState state) => state == FlowState.Free ? 0 : Volatile.Read(ref ListOf(state)->Count);

    /// <summary>Seconds without a frame after which a flow of a state is forgotten, if nothing more is known of it.</summary>
    public static uint TimeoutOf(FlowState state) => FlowTimes.Of(state);

    /// <summary>Whether there may be flows to forget; asks without the lock.</summary>
    public bool HasDue(uint now) => _wheel.IsBehind(now);

    /// <summary>Forgets flows whose time is over, a bounded number a call.</summary>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    /// <param name="most">How many to look at, so that no batch waits long.</param>
    /// <returns>How many went.</returns>
    public int Expire(uint now, int most)
    {
        var gone = 0;
        for (var looked = 0; looked < most && HasDue(now); looked += ExpiredAtOnce)
        {
            Lock();
            gone += ExpireSome(now, Math.Min(ExpiredAtOnce, most - looked));
            Unlock();
        }
        return gone;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _readers.Dispose();
        _wheel.Dispose();
        _index.Dispose();
        _privatePages.Dispose();
        _memory.Dispose();
    }

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

    /// <summary>A reader more: one for each thread that looks flows up while others may change the table.</summary>
    internal FlowReader AddReader() => _readers.Add();

    /// <summary>The hash of a frame from a client.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong HashOfClient(in FlowKey key) => _hash.OfClient(key);

    /// <summary>The hash of a frame from a backend.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong HashOfBackend(in FlowKey key) => _hash.OfBackend(key);

    /// <summary>First step of a batch: has the bucket fetched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchBucket(ulong hash) => _index.Prefetch(hash);

    /// <summary>Second step of a batch: has the lines fetched of the entry that is likely the one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchEntry(ulong hash, Side from)
    {
        var flow = _index.Guess(hash);
        if (!Sse.IsSupported || flow is null)
            return;
        Sse.Prefetch0(flow);
        Sse.Prefetch0(from == Side.Uplink ? &flow->Client : &flow->Backend);
    }

    /// <summary>The flow of a frame from a client, or null.</summary>
    internal Flow* FindByClient(in FlowKey key, ulong hash) => _index.FindByClient(key, hash);

    /// <summary>The flow of a frame from a client, or null.</summary>
    internal Flow* FindByClient(in FlowKey key) => _index.FindByClient(key, _hash.OfClient(key));

    /// <summary>The flow of a frame from a backend, or null.</summary>
    internal Flow* FindByBackend(in FlowKey key, ulong hash) => _index.FindByBackend(key, hash);

    /// <summary>The flow of a frame from a backend, or null.</summary>
    internal Flow* FindByBackend(in FlowKey key) => _index.FindByBackend(key, _hash.OfBackend(key));

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
        Lock();
        var drop = AddLocked(client, backend, now, keepPort, out flow);
        Unlock();
        return drop;
    }

    /// <summary>Notes that a frame of a flow has passed, and the state it is in now.</summary>
    /// <param name="flow">The flow.</param>
    /// <param name="from">The side that the frame came from.</param>
    /// <param name="was">The state that <paramref name="state"/> follows from: where another thread has changed it meanwhile, it stays.</param>
    /// <param name="state">The state now.</param>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Touch(Flow* flow, Side from, FlowState was, FlowState state, uint now)
    {
        var side = from == Side.Uplink ? &flow->Client : &flow->Backend;
        var isRecent = now - side->LastSeen < FlowTimes.Granularity;
        if (was == state && isRecent)
            return;
        side->LastSeen = now;
        if (was != state || state != FlowState.Established)
            Move(flow, was, state, now);
    }

    /// <summary>Forgets a flow, unless another thread just has.</summary>
    internal void Remove(Flow* flow)
    {
        Lock();
        if (flow->State != FlowState.Free)
            RemoveLocked(flow);
        Unlock();
    }

    /// <summary>Changes a flow's state and its place in the order of that state.</summary>
    private void Move(Flow* flow, FlowState was, FlowState state, uint now)
    {
        Lock();
        // Another thread may have removed it meanwhile, or seen more of it.
        if (flow->State == was && was != FlowState.Free)
        {
            var entry = EntryOf(flow);
            Unlist(entry, was);
            Enlist(entry, state);
            if (was != state)
            {
                flow->Publish(state, flow->Word >> 8);
                _wheel.Remove(entry);
                _wheel.Add(entry, FlowTimes.DeadlineOf(*flow, state), now);
            }
        }
        Unlock();
    }

    private DropReason AddLocked(in FlowKey client, in FlowKey wanted, uint now, bool keepPort, out Flow* flow)
    {
        var clientHash = _hash.OfClient(client);
        flow = _index.FindByClient(client, clientHash);
        if (flow is not null)
            return DropReason.None;
        var backend = wanted;
        var backendHash = _hash.OfBackend(backend);
        if (!TryGetPort(ref backend, ref backendHash, clientHash, keepPort))
            return DropReason.ClientPortInUse;
        var entry = IsFull && !TryShed() ? FlowLinks.None : _pool.Take();
        // Entries may also be short for a moment because a thread that looked them up has been held up in the middle of a batch.
        if (entry == FlowLinks.None)
            return DropReason.FlowTableFull;
        flow = _flows + entry;
        Write(flow, client, backend, now);
        _index.Add(clientHash, entry);
        _index.Add(backendHash, entry);
        Enlist(entry, FlowState.HalfOpen);
        _wheel.Add(entry, FlowTimes.DeadlineOf(*flow, FlowState.HalfOpen), now);
        return DropReason.None;
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
        for (var attempt = 0; attempt < FlowPort.Attempts && !keepPort; attempt++)
        {
            var key = backend.FromPort(FlowPort.Candidate(seed, attempt));
            var keyHash = _hash.OfBackend(key);
            if (_index.FindByBackend(key, keyHash) is not null)
                continue;
            (backend, hash) = (key, keyHash);
            return true;
        }
        // Whoever forged a half-open one could else keep the port's owner from using it.
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

    private int ExpireSome(uint now, int most)
    {
        var gone = 0;
        for (var looked = 0; looked < most && _wheel.TakeNext(now) is not FlowLinks.None and var entry; looked++)
        {
            var flow = _flows + entry;
            var deadline = FlowTimes.DeadlineOf(*flow, flow->State);
            _wheel.Add(entry, deadline, now);
            if ((int)(now - deadline) < 0)
                continue;
            RemoveLocked(flow);
            gone++;
        }
        return gone;
    }

    /// <summary>Makes index, timers and order from the entries that are there.</summary>
    private void TakeOver(uint now)
    {
        var ordered = 0;
        for (var entry = 0; entry < _memory.Entries; entry++)
        {
            ref readonly var flow = ref _flows[entry];
            if ((byte)flow.Word is (byte)FlowState.Free or Flow.Writing)
                continue;
            if (FlowCheck.ProblemOf(flow, _hash, now) is { } problem)
                throw new InvalidDataException($"entry {entry} {problem}");
            Adopt(entry, now);
            if (_flows[entry].State != FlowState.Established)
                ordered++;
        }
        if (Adopted > Capacity)
            throw new InvalidDataException($"it holds {Adopted} flows, more than its {Capacity}");
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

    private void Enlist(int entry, FlowState state)
    {
        // Established flows are never shed, so nobody asks for the oldest.
        if (state == FlowState.Established)
            Volatile.Write(ref _book->Established.Count, _book->Established.Count + 1);
        else
            ListOf(state)->Append(_links, entry);
    }

    private void Unlist(int entry, FlowState state)
    {
        if (state == FlowState.Established)
            Volatile.Write(ref _book->Established.Count, _book->Established.Count - 1);
        else
            ListOf(state)->Unlink(_links, entry);
    }

    private FlowList* ListOf(FlowState state) => &_book->HalfOpen + ((int)state - (int)FlowState.HalfOpen);

    private int EntryOf(Flow* flow) => (int)(flow - _flows);

    private void Lock()
    {
        var spinner = default(SpinWait);
        while (Interlocked.CompareExchange(ref _book->Lock, 1, 0) != 0)
            spinner.SpinOnce(sleep1Threshold: -1);
    }

    private void Unlock() => Volatile.Write(ref _book->Lock, 0);
}
