namespace CookieXdp.Dataplane.Flows;

/// <summary>How long a flow is remembered without a frame: RFC 5382, section 5, and RFC 7857, section 2. All in seconds.</summary>
internal static class FlowTimes
{
    /// <summary>Seconds within which a flow's last frame is not noted anew: spares its line a write a packet.</summary>
    internal const uint Granularity = 4;

    /// <summary>An established connection: 2 hours and 4 minutes (RFC 5382, REQ-5).</summary>
    internal const uint Established = 7440;

    /// <summary>One whose backend has answered, and one that a RST has ended: four minutes (RFC 5382, REQ-5; RFC 7857, section 2.2).</summary>
    internal const uint Transitory = 240;

    /// <summary>One whose backend has not answered: anybody can forge a SYN, so less than the four minutes, as RFC 7857, section 2.1 allows.</summary>
    internal const uint Unanswered = 60;

    /// <summary>One that a FIN of each side has ended: a lost last acknowledgment is sent again well before.</summary>
    internal const uint Finished = 60;

    /// <summary>The longest of all.</summary>
    internal const uint Longest = Established;

    /// <summary>The time of a flow that is in a state and of which nothing more is known.</summary>
    internal static uint Of(FlowState state) => state switch
    {
        FlowState.Established => Established,
        FlowState.HalfOpen => Unanswered,
        _ => Transitory,
    };

    /// <summary>The time of a flow.</summary>
    internal static uint Of(in Flow flow, FlowState state) => state switch
    {
        FlowState.HalfOpen when (flow.Backend.Marks & FlowMarks.SequenceKnown) != 0 => Transitory,
        FlowState.Closing when (flow.Client.Marks & flow.Backend.Marks & FlowMarks.Fin) != 0 => Finished,
        _ => Of(state),
    };

    /// <summary>The second at which a flow is forgotten, if no frame comes.</summary>
    internal static uint DeadlineOf(in Flow flow, FlowState state) => flow.LastSeen + Of(flow, state);
}
