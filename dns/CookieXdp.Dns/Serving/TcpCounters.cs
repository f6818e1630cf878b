using CookieXdp.Dns.Answers;

namespace CookieXdp.Dns.Serving;

/// <summary>What all TCP listeners count together.</summary>
internal sealed class TcpCounters(QueryCounters queries)
{
    private long _accepted;
    private long _refusedClient;
    private long _refusedTotal;

    /// <summary>The queries.</summary>
    internal QueryCounters Queries => queries;

    /// <summary>Connections accepted so far.</summary>
    internal long Accepted => Volatile.Read(ref _accepted);

    /// <summary>Connections refused so far because their client had too many.</summary>
    internal long RefusedClient => Volatile.Read(ref _refusedClient);

    /// <summary>Connections refused so far because there were too many in all.</summary>
    internal long RefusedTotal => Volatile.Read(ref _refusedTotal);

    /// <summary>Counts an accepted connection.</summary>
    internal void CountAccepted() => Interlocked.Increment(ref _accepted);

    /// <summary>Counts a refused connection.</summary>
    internal void CountRefused(bool isClientsOwn) => Interlocked.Increment(ref isClientsOwn ? ref _refusedClient : ref _refusedTotal);
}
