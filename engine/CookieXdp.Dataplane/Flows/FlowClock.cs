namespace CookieXdp.Dataplane.Flows;

/// <summary>The clock of flows: it never goes back, and goes on while no engine runs, as what it times in the flow file does.</summary>
public static class FlowClock
{
    /// <summary>Seconds since the machine started (CLOCK_BOOTTIME).</summary>
    public static uint Seconds => FlowSystemCalls.SecondsSinceBoot();
}
