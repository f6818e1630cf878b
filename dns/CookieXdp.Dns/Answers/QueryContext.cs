using CookieXdp.Cookies;

namespace CookieXdp.Dns.Answers;

/// <summary>How a query came.</summary>
internal enum Transport
{
    /// <summary>By UDP: the source may be spoofed, and the answer's size is limited.</summary>
    Udp,

    /// <summary>By TCP: whoever asks is at the address they ask from.</summary>
    Tcp,
}

/// <summary>What is known of a query beyond its bytes.</summary>
/// <param name="Resolver">The network it came from.</param>
/// <param name="Transport">How it came.</param>
/// <param name="UnixSeconds">When.</param>
/// <param name="Counters">Where it is counted.</param>
internal readonly record struct QueryContext(ResolverNetwork Resolver, Transport Transport, long UnixSeconds, QueryCounters Counters);
