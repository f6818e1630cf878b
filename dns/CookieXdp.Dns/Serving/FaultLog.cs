using System.Net;
using Microsoft.Extensions.Logging;

namespace CookieXdp.Dns.Serving;

/// <summary>Tells of mistakes of this program that some input brings about: one now and then, for who sends that input may send much of it.</summary>
internal sealed class FaultLog(ILogger logger)
{
    private const long Milliseconds = 10_000;

    private long _quietUntil = long.MinValue;

    /// <summary>Tells of one, unless one was told a moment ago; they are counted all the same.</summary>
    internal void Tell(IPEndPoint endPoint, string transport, Exception fault)
    {
        var now = Environment.TickCount64;
        var quietUntil = Volatile.Read(ref _quietUntil);
        if (now >= quietUntil && Interlocked.CompareExchange(ref _quietUntil, now + Milliseconds, quietUntil) == quietUntil)
            logger.LogError(fault, "{EndPoint} ({Transport}): a query could not be answered; more of these are only counted for a while", endPoint, transport);
    }
}
