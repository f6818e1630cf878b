namespace CookieXdp.Dataplane.Flows;

/// <summary>The entries that no flow has: free ones, and those given back that a reader may still see. One thread at a time.</summary>
internal sealed unsafe class FlowPool
{
    /// <summary>Entries looked at in one go when free ones run out.</summary>
    private const int MostAtOnce = 256;

    private readonly FlowLinks* _links;
    private readonly FlowBook* _book;
    private readonly FlowReaders _readers;

    internal FlowPool(FlowLinks* links, FlowBook* book, FlowReaders readers)
    {
        _links = links;
        _book = book;
        _readers = readers;
        _book->FirstFree = FlowLinks.None;
        _book->FirstWaiting = FlowLinks.None;
        _book->LastWaiting = FlowLinks.None;
    }

    /// <summary>Adds an entry that nobody can see.</summary>
    internal void Add(int entry)
    {
        _links[entry].NextFree = _book->FirstFree;
        _book->FirstFree = entry;
    }

    /// <summary>Gives an entry back that has just been taken out of the index.</summary>
    internal void GiveBack(int entry)
    {
        _links[entry].FreedAt = _readers.EndEpoch();
        _links[entry].NextFree = FlowLinks.None;
        if (_book->LastWaiting == FlowLinks.None)
            _book->FirstWaiting = entry;
        else
            _links[_book->LastWaiting].NextFree = entry;
        _book->LastWaiting = entry;
    }

    /// <summary>Takes an entry.</summary>
    /// <returns>It, or none.</returns>
    internal int Take()
    {
        if (_book->FirstFree == FlowLinks.None)
            CollectWaiting();
        var entry = _book->FirstFree;
        if (entry != FlowLinks.None)
            _book->FirstFree = _links[entry].NextFree;
        return entry;
    }

    private void CollectWaiting()
    {
        var oldest = _readers.Oldest();
        for (var i = 0; i < MostAtOnce && _book->FirstWaiting is not FlowLinks.None and var entry && _links[entry].FreedAt < oldest; i++)
        {
            _book->FirstWaiting = _links[entry].NextFree;
            if (_book->FirstWaiting == FlowLinks.None)
                _book->LastWaiting = FlowLinks.None;
            Add(entry);
        }
    }
}
