using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// Knows which entries given back no reader can see any more. Each reader notes at the start of a batch the epoch that it began in, and at its
/// end that it holds nothing; each entry given back ends an epoch. An entry is free once every batch that began before its epoch
/// ended is over. So within a batch no entry becomes another flow's.
/// </summary>
internal sealed unsafe class FlowReaders : IDisposable
{
    /// <summary>More than any machine has queues for.</summary>
    private const int Most = 1024;

    private const int WordsPerLine = 8;

    private readonly FlowBook* _book;
    private readonly long* _lines;
    private int _count;

    internal FlowReaders(FlowBook* book)
    {
        _book = book;
        _book->Epoch = 1;
        _lines = (long*)NativeMemory.AlignedAlloc(Most * WordsPerLine * sizeof(long), 64);
        NativeMemory.Clear(_lines, Most * WordsPerLine * sizeof(long));
    }

    /// <summary>A reader more: one for each thread that looks flows up.</summary>
    internal FlowReader Add()
    {
        var index = Interlocked.Increment(ref _count) - 1;
        return index < Most ? new FlowReader(_book, _lines + (index * WordsPerLine)) : throw new InvalidOperationException($"a flow table has {Most} readers at most");
    }

    /// <summary>The epoch in which an entry is given back, after it was taken out of the index.</summary>
    internal long EndEpoch()
    {
        var epoch = _book->Epoch;
        Volatile.Write(ref _book->Epoch, epoch + 1);
        return epoch;
    }

    /// <summary>The oldest epoch that some batch began in: entries given back before it are free.</summary>
    internal long Oldest()
    {
        // A batch that notes its epoch after this look finds nothing in the index any more that was taken out before it.
        Interlocked.MemoryBarrier();
        var oldest = long.MaxValue;
        var count = Math.Min(Volatile.Read(ref _count), Most);
        for (var i = 0; i < count; i++)
        {
            var epoch = Volatile.Read(ref _lines[i * WordsPerLine]);
            if (epoch != FlowReader.Nothing && epoch < oldest)
                oldest = epoch;
        }
        return oldest;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_lines);
}

/// <summary>What one thread says of its batches, in a cache line of its own.</summary>
internal sealed unsafe class FlowReader(FlowBook* book, long* line)
{
    /// <summary>It holds no entry.</summary>
    internal const long Nothing = 0;

    private readonly FlowBook* _book = book;
    private readonly long* _line = line;

    /// <summary>Begins a batch: what is found from here on stays what it is until <see cref="Exit"/>.</summary>
    internal void Enter()
    {
        Volatile.Write(ref *_line, Volatile.Read(ref _book->Epoch));
        // The note must be seen before anything is looked up.
        Interlocked.MemoryBarrier();
    }

    /// <summary>Ends the batch.</summary>
    internal void Exit() => Volatile.Write(ref *_line, Nothing);
}
