namespace CookieXdp.Lab;

/// <summary>The programs' metrics that the lab looks at, with the labels and values it tells apart.</summary>
public static class MetricNames
{
    /// <summary>The frames that the engine received and transmitted, by interface and direction.</summary>
    public const string Frames = "cookiexdp_frames_total";

    /// <summary>The frames that the engine's workers dropped, by <see cref="Reason"/>.</summary>
    public const string DroppedFrames = "cookiexdp_dropped_frames_total";

    /// <summary>The frames that the XDP program saw, by interface and <see cref="Reason"/>.</summary>
    public const string XdpFrames = "cookiexdp_xdp_frames_total";

    /// <summary>The engine's verdicts, by <see cref="Verdict"/> and <see cref="Reason"/>.</summary>
    public const string Verdicts = "cookiexdp_verdicts_total";

    /// <summary>The label with what was done.</summary>
    public const string Verdict = "verdict";

    /// <summary>The label with why.</summary>
    public const string Reason = "reason";

    /// <summary>The verdict that lets a connection through.</summary>
    public const string Accept = "accept";

    /// <summary>The reason for a cookie that does not open.</summary>
    public const string FalseCookie = "falseCookie";

    /// <summary>The reason for a genuine cookie past its <c>staleFor</c>.</summary>
    public const string Expired = "expired";

    /// <summary>The reason for a genuine cookie whose service has no such port.</summary>
    public const string WrongPort = "wrongPort";

    /// <summary>The reason for a resolver network on the banned list.</summary>
    public const string BannedResolver = "bannedResolver";

    /// <summary>The reason for a client on the banned list.</summary>
    public const string BannedClient = "bannedClient";

    /// <summary>The DNS server's minted answers.</summary>
    public const string Minted = "cookiexdp_dns_minted_total";

    /// <summary>The DNS server's queries, by transport, type and rcode.</summary>
    public const string Queries = "cookiexdp_dns_queries_total";
}
