namespace CookieXdp.Cookies;

/// <summary>How time stands in a cookie: UTC days (epochs), and ticks of 64 seconds within them. All times are Unix seconds.</summary>
public static class CookieTime
{
    /// <summary>Seconds of an epoch: one UTC day, for which one key mints.</summary>
    public const int EpochSeconds = 86_400;

    /// <summary>Seconds of a tick, the finest time a cookie tells.</summary>
    public const int TickSeconds = 64;

    /// <summary>Ticks of an epoch; a tick from here on is never genuine.</summary>
    public const int TicksPerEpoch = EpochSeconds / TickSeconds;

    /// <summary>How far in the future, in seconds, a cookie may be minted and still be genuine: clocks differ.</summary>
    public const int FutureTolerance = 128;

    /// <summary>The default of <c>mintEvery</c>, in seconds.</summary>
    public const int DefaultMintEvery = 320;

    /// <summary>The epoch that a time lies in.</summary>
    public static long EpochOf(long unixSeconds) => Math.DivRem(unixSeconds, EpochSeconds, out var rest) - (rest < 0 ? 1 : 0);

    /// <summary>The tick within its epoch that a time lies in.</summary>
    public static int TickOf(long unixSeconds) => (int)((unixSeconds - EpochOf(unixSeconds) * EpochSeconds) / TickSeconds);

    /// <summary>The first second of a tick.</summary>
    public static long StartOf(long epoch, int tick) => epoch * EpochSeconds + (long)tick * TickSeconds;

    /// <summary>The first second of the mint interval that a time lies in.</summary>
    /// <param name="unixSeconds">The time, not negative.</param>
    /// <param name="mintEvery">Seconds of an interval; see <see cref="IsMintInterval"/>.</param>
    public static long IntervalStart(long unixSeconds, int mintEvery) => unixSeconds - unixSeconds % mintEvery;

    /// <summary>Whether <c>mintEvery</c> may be this many seconds: a multiple of 64 that divides a day.</summary>
    public static bool IsMintInterval(long seconds) =>
        seconds is > 0 and <= EpochSeconds && seconds % TickSeconds == 0 && EpochSeconds % seconds == 0;
}
