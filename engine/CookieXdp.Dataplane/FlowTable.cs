using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace CookieXdp.Dataplane;

/// <summary>How far a connection has come.</summary>
public enum FlowState : byte
{
    /// <summary>No flow: the entry is free.</summary>
    Free,

    /// <summary>The client has not yet acknowledged the backend's ISN + 1: anybody may have forged what came so far.</summary>
    HalfOpen,

    /// <summary>The client has proved that it hears what is sent to it.</summary>
    Established,

    /// <summary>A FIN of each side, or a RST, has passed.</summary>
    Closing,
}

/// <summary>One admitted connection and its two rewrites.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Flow
{
    internal FlowKey Client;
    internal FlowKey Return;
    internal int Backend;
    internal uint LastSeen;
    internal uint BackendIsn;

    /// <summary>What the backend has acknowledged last: the next byte that it expects of the client.</summary>
    internal uint BackendAcknowledgment;
    internal ushort ForwardDelta;
    internal FlowState State;
    internal FlowMarks Marks;

    // Chains: the next entry of the same bucket in each of the two indices, and the neighbours in the list of equal state.
    internal int NextByClient;
    internal int NextByReturn;
    internal int Older;
    internal int Newer;
}

/// <summary>What has been seen of a flow.</summary>
[Flags]
internal enum FlowMarks : byte
{
    None = 0,
    BackendIsnKnown = 1,
    ClientFin = 2,
    BackendFin = 4,
}

/// <summary>
/// The flows, found by either direction's addresses and ports; bounded; each state's flows in the order of their last frame, so that
/// expiry and shedding look only at those that go. All calls between <see cref="Enter"/> and <see cref="Exit"/>.
/// </summary>
public sealed unsafe class FlowTable : IDisposable
{
    private const int None = -1;

    /// <summary>Seconds within which a flow's last frame is not noted anew: spares the list's neighbours a write a packet.</summary>
    private const uint LastSeenGranularity = 4;

    private readonly Flow* _flows;
    private readonly int* _byClient;
    private readonly int* _byReturn;
    private readonly uint _bucketMask;
    private readonly ulong _secret;
    private readonly ulong _multiplier;
    private readonly StateList[] _lists = new StateList[4];
    private int _freeHead;
    private int _lock;

    /// <summary>A table with room for a number of flows.</summary>
    public FlowTable(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        Capacity = capacity;
        var buckets = (nuint)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)capacity);
        _bucketMask = (uint)buckets - 1;
        _flows = (Flow*)NativeMemory.AlignedAlloc((nuint)capacity * (nuint)sizeof(Flow), 64);
        _byClient = (int*)NativeMemory.AlignedAlloc(buckets * sizeof(int), 64);
        _byReturn = (int*)NativeMemory.AlignedAlloc(buckets * sizeof(int), 64);
        new Span<int>(_byClient, (int)buckets).Fill(None);
        new Span<int>(_byReturn, (int)buckets).Fill(None);
        for (var i = 0; i < capacity; i++)
        {
            _flows[i] = default;
            _flows[i].NextByClient = i + 1 < capacity ? i + 1 : None;
        }
        _lists.AsSpan().Fill(new StateList { Oldest = None, Newest = None });
        // Whoever knew the hash could send flows that all fall into one bucket.
        Span<ulong> secrets = stackalloc ulong[2];
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(secrets));
        _secret = secrets[0];
        _multiplier = secrets[1] | 1;
    }

    /// <summary>The greatest number of flows.</summary>
    public int Capacity { get; }

    /// <summary>Flows of a state; may be read at any time.</summary>
    public int CountOf(FlowState state) => Volatile.Read(ref _lists[(int)state].Count);

    /// <summary>Seconds without a frame after which a flow of a state is forgotten (RFC 5382, section 5; RFC 7857, section 2).</summary>
    public static uint TimeoutOf(FlowState state) => state switch
    {
        FlowState.Established => 7440,
        FlowState.HalfOpen => 60,
        _ => 240,
    };

    /// <summary>Takes the table for one batch; waits for another worker's batch to end.</summary>
    public void Enter()
    {
        var spinner = default(SpinWait);
        while (Interlocked.CompareExchange(ref _lock, 1, 0) != 0)
            spinner.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>Gives the table back.</summary>
    public void Exit() => Volatile.Write(ref _lock, 0);

    /// <summary>The flow of a frame from a client, or null.</summary>
    internal Flow* FindByClient(in FlowKey key)
    {
        var index = _byClient[Bucket(key)];
        while (index != None && !_flows[index].Client.Equals(key))
            index = _flows[index].NextByClient;
        return index == None ? null : _flows + index;
    }

    /// <summary>The flow of a frame from a backend, or null.</summary>
    internal Flow* FindByReturn(in FlowKey key)
    {
        var index = _byReturn[Bucket(key)];
        while (index != None && !_flows[index].Return.Equals(key))
            index = _flows[index].NextByReturn;
        return index == None ? null : _flows + index;
    }

    /// <summary>
    /// Adds a half-open flow; neither key may be there. Where the table is full the oldest closing flow goes, else the oldest half-open
    /// one, never an established one.
    /// </summary>
    /// <returns>The flow, or null where only established ones are left.</returns>
    internal Flow* Add(in FlowKey client, in FlowKey backend, uint now)
    {
        Debug.Assert(FindByClient(client) is null && FindByReturn(backend) is null, "a flow is added once");
        if (_freeHead == None && !TryShed())
            return null;
        var index = _freeHead;
        var flow = _flows + index;
        _freeHead = flow->NextByClient;
        *flow = default;
        flow->Client = client;
        flow->Return = backend;
        flow->LastSeen = now;
        ref var byClient = ref _byClient[Bucket(client)];
        ref var byReturn = ref _byReturn[Bucket(backend)];
        flow->NextByClient = byClient;
        flow->NextByReturn = byReturn;
        byClient = index;
        byReturn = index;
        Append(index, FlowState.HalfOpen);
        return flow;
    }

    /// <summary>Notes that a frame of a flow has passed, and the state it is in now.</summary>
    internal void Touch(Flow* flow, FlowState state, uint now)
    {
        if (flow->State == state && now - flow->LastSeen < LastSeenGranularity)
            return;
        var index = (int)(flow - _flows);
        Unlink(index);
        flow->LastSeen = now;
        Append(index, state);
    }

    /// <summary>Forgets a flow.</summary>
    internal void Remove(Flow* flow)
    {
        var index = (int)(flow - _flows);
        Unlink(index);
        Unchain(ref _byClient[Bucket(flow->Client)], index, byClient: true);
        Unchain(ref _byReturn[Bucket(flow->Return)], index, byClient: false);
        flow->State = FlowState.Free;
        flow->NextByClient = _freeHead;
        _freeHead = index;
    }

    /// <summary>Forgets flows whose time is over, a bounded number a call.</summary>
    /// <param name="now">Seconds of the same clock as all others here.</param>
    /// <param name="most">How many at most, so that no batch waits long.</param>
    /// <returns>How many went.</returns>
    public int Expire(uint now, int most)
    {
        var gone = 0;
        for (var state = FlowState.HalfOpen; state <= FlowState.Closing; state++)
        {
            while (gone < most && _lists[(int)state].Oldest is not None and var oldest && now - _flows[oldest].LastSeen >= TimeoutOf(state))
            {
                Remove(_flows + oldest);
                gone++;
            }
        }
        return gone;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.AlignedFree(_flows);
        NativeMemory.AlignedFree(_byClient);
        NativeMemory.AlignedFree(_byReturn);
    }

    private bool TryShed()
    {
        // What has ended goes before what begins: else ended connections, which stay for minutes, would leave no room for a handshake.
        var victim = _lists[(int)FlowState.Closing].Oldest;
        if (victim == None)
            victim = _lists[(int)FlowState.HalfOpen].Oldest;
        if (victim == None)
            return false;
        Remove(_flows + victim);
        return true;
    }

    private uint Bucket(in FlowKey key)
    {
        // Two rounds of multiply-and-fold with secrets of this table.
        var high = Math.BigMul(key.ClientHigh ^ _secret ^ key.Ports, key.ClientLow ^ _multiplier, out var low);
        high = Math.BigMul(key.NearHigh ^ high ^ _multiplier, key.NearLow ^ low ^ _secret, out low);
        return (uint)((high ^ low) >> 16) & _bucketMask;
    }

    private void Append(int index, FlowState state)
    {
        ref var list = ref _lists[(int)state];
        var flow = _flows + index;
        flow->State = state;
        flow->Older = list.Newest;
        flow->Newer = None;
        if (list.Newest == None)
            list.Oldest = index;
        else
            _flows[list.Newest].Newer = index;
        list.Newest = index;
        Volatile.Write(ref list.Count, list.Count + 1);
    }

    private void Unlink(int index)
    {
        var flow = _flows + index;
        ref var list = ref _lists[(int)flow->State];
        if (flow->Older == None)
            list.Oldest = flow->Newer;
        else
            _flows[flow->Older].Newer = flow->Newer;
        if (flow->Newer == None)
            list.Newest = flow->Older;
        else
            _flows[flow->Newer].Older = flow->Older;
        Volatile.Write(ref list.Count, list.Count - 1);
    }

    private void Unchain(ref int head, int index, bool byClient)
    {
        ref var link = ref head;
        while (link != index)
            link = ref byClient ? ref _flows[link].NextByClient : ref _flows[link].NextByReturn;
        link = byClient ? _flows[index].NextByClient : _flows[index].NextByReturn;
    }

    private struct StateList
    {
        public int Oldest;
        public int Newest;
        public int Count;
    }
}
