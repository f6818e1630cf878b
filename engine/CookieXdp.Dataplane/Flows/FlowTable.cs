using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// The flows, found by either direction's addresses and ports, shared by all workers. Looking up and following an established flow takes no lock;
/// what adds, removes, or changes a flow's state takes a short one. The entries may lie in a file that outlives the process; everything
/// else (index, timers, order, free entries) is made anew from them by whoever takes the file over.
/// </summary>
public sealed unsafe partial class FlowTable : IDisposable
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
    /// <returns>It, not compared yet, or null.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Flow* Guess(ulong hash, Side from)
    {
        var flow = _index.Guess(hash);
        if (Sse.IsSupported && flow is not null)
        {
            Sse.Prefetch0(flow);
            Sse.Prefetch0(from == Side.Uplink ? &flow->Client : &flow->Backend);
        }
        return flow;
    }

    /// <summary>Third step of a batch: the flow of a frame from a client, or null. The guess saves a second look into the bucket: 13 of 87 ns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Flow* FindByClient(in FlowKey key, ulong hash, Flow* guess) =>
        guess is not null && guess->IsOfClient(key) && guess->State != FlowState.Free ? guess : _index.FindByClient(key, hash);

    /// <summary>The flow of a frame from a client, or null.</summary>
    internal Flow* FindByClient(in FlowKey key) => _index.FindByClient(key, _hash.OfClient(key));

    /// <summary>Third step of a batch: the flow of a frame from a backend, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Flow* FindByBackend(in FlowKey key, ulong hash, Flow* guess) =>
        guess is not null && guess->IsOfBackend(key) && guess->State != FlowState.Free ? guess : _index.FindByBackend(key, hash);

    /// <summary>The flow of a frame from a backend, or null.</summary>
    internal Flow* FindByBackend(in FlowKey key) => _index.FindByBackend(key, _hash.OfBackend(key));

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
