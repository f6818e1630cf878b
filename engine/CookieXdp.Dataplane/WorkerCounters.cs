using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// What one worker has counted, in cache lines of its own outside the managed heap. One thread writes; any may read.
/// </summary>
public sealed unsafe class WorkerCounters : IDisposable
{
    // Rows of numbers: frames and bytes by side, accepted by age, verdicts and drops by reason, replies by kind.
    private const int ReceivedFrames = 0;
    private const int ReceivedBytes = 2;
    private const int TransmittedFrames = 4;
    private const int TransmittedBytes = 6;
    private const int AcceptedFresh = 8;
    private const int AcceptedStale = 9;
    private const int FlowsRebuilt = 10;
    private const int Verdicts = 16;
    private const int Drops = Verdicts + DropReasons.Count;
    private const int Replies = Drops + DropReasons.Count;
    private const int Length = Replies + ReplyKinds.Count;
    private const int CacheLine = 64;

    private readonly long* _counters;

    /// <summary>All at zero.</summary>
    public WorkerCounters()
    {
        var bytes = (nuint)(Length * sizeof(long) + CacheLine - 1) / CacheLine * CacheLine;
        _counters = (long*)NativeMemory.AlignedAlloc(bytes, CacheLine);
        NativeMemory.Clear(_counters, bytes);
    }

    /// <summary>Frames that came in on a side.</summary>
    public long FramesReceived(Side side) => Volatile.Read(ref _counters[ReceivedFrames + (int)side]);

    /// <summary>Bytes that came in on a side, Ethernet header included.</summary>
    public long BytesReceived(Side side) => Volatile.Read(ref _counters[ReceivedBytes + (int)side]);

    /// <summary>Frames that were given to a side for transmission.</summary>
    public long FramesTransmitted(Side side) => Volatile.Read(ref _counters[TransmittedFrames + (int)side]);

    /// <summary>Bytes that were given to a side for transmission, Ethernet header included.</summary>
    public long BytesTransmitted(Side side) => Volatile.Read(ref _counters[TransmittedBytes + (int)side]);

    /// <summary>Connections accepted with a fresh or with a stale cookie (older where the mode is observe).</summary>
    public long Accepted(bool fresh) => Volatile.Read(ref _counters[fresh ? AcceptedFresh : AcceptedStale]);

    /// <summary>Flows that were lost and begun anew from their cookie; each that policy lets in is among the accepted connections, too.</summary>
    public long Rebuilt => Volatile.Read(ref _counters[FlowsRebuilt]);

    /// <summary>Verdicts against a new connection, also those that observe mode did not carry out.</summary>
    public long VerdictsAgainst(DropReason reason) => Volatile.Read(ref _counters[Verdicts + (int)reason]);

    /// <summary>Frames dropped.</summary>
    public long Dropped(DropReason reason) => Volatile.Read(ref _counters[Drops + (int)reason]);

    /// <summary>Frames that the engine has made into answers of its own; whether they were transmitted is counted as for all others.</summary>
    public long Replied(ReplyKind kind) => Volatile.Read(ref _counters[Replies + (int)kind]);

    /// <summary>Counts a frame that was given to a side's transmit ring.</summary>
    public void CountTransmitted(Side side, int bytes)
    {
        _counters[TransmittedFrames + (int)side]++;
        _counters[TransmittedBytes + (int)side] += bytes;
    }

    /// <summary>Counts a dropped frame.</summary>
    public void CountDropped(DropReason reason) => _counters[Drops + (int)reason]++;

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_counters);

    internal void CountReceived(Side side, int frames, long bytes)
    {
        _counters[ReceivedFrames + (int)side] += frames;
        _counters[ReceivedBytes + (int)side] += bytes;
    }

    internal void CountAccepted(bool fresh) => _counters[fresh ? AcceptedFresh : AcceptedStale]++;

    internal void CountRebuilt() => _counters[FlowsRebuilt]++;

    internal void CountReply(ReplyKind kind) => _counters[Replies + (int)kind]++;

    internal void CountVerdictAgainst(DropReason reason) => _counters[Verdicts + (int)reason]++;
}
