namespace CookieXdp.Dataplane.Flows;

/// <summary>What an entry of a flow file must be before anything of it is believed.</summary>
internal static class FlowCheck
{
    /// <summary>What is wrong with an entry that says that it is a flow.</summary>
    /// <param name="flow">The entry.</param>
    /// <param name="hash">The file's secrets.</param>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    /// <returns>Null where nothing is.</returns>
    internal static string? ProblemOf(in Flow flow, in FlowHash hash, uint now)
    {
        if ((FlowState)(byte)flow.Word is not (FlowState.HalfOpen or FlowState.Established or FlowState.Closing))
            return $"has no state {(byte)flow.Word}";
        // Over the whole identity: addresses, ports, checksum difference.
        if (flow.Word >> 8 != hash.SealOf(flow))
            return "does not bear the table's seal";
        if (((flow.Client.Marks | flow.Backend.Marks) & ~FlowMarks.All) != 0)
            return "has marks that do not exist";
        if (flow.Client.LastSeen > now || flow.Backend.LastSeen > now)
            return "was last seen in the future";
        return null;
    }
}
