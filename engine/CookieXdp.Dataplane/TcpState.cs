namespace CookieXdp.Dataplane;

/// <summary>What a segment makes of a flow's state: enough of TCP to time flows out rightly.</summary>
internal static unsafe class TcpState
{
    /// <summary>How far ahead of what the backend has acknowledged a client's reset may lie: data on its way, in a window without scaling.</summary>
    private const uint ResetWindow = 65_535;

    /// <summary>The state after a segment of the client.</summary>
    /// <param name="flow">The flow; what was seen is marked in it.</param>
    /// <param name="flags">The segment's flags.</param>
    /// <param name="sequence">Its sequence number.</param>
    /// <param name="acknowledgment">Its acknowledgment number.</param>
    internal static FlowState AfterClient(Flow* flow, TcpFlags flags, uint sequence, uint acknowledgment)
    {
        // Anybody can forge a reset; only one that the backend could take for real is believed (RFC 5961, section 3). It is passed on in any case.
        if ((flags & TcpFlags.Rst) != 0)
            return (flow->Marks & FlowMarks.BackendIsnKnown) == 0 || sequence - flow->BackendAcknowledgment <= ResetWindow ? FlowState.Closing : flow->State;
        if ((flags & TcpFlags.Fin) != 0)
            flow->Marks |= FlowMarks.ClientFin;
        // Only who heard the backend's SYN can acknowledge it: before this, nothing is believed of the source.
        if (flow->State == FlowState.HalfOpen && (flags & (TcpFlags.Ack | TcpFlags.Syn)) == TcpFlags.Ack
            && (flow->Marks & FlowMarks.BackendIsnKnown) != 0 && acknowledgment == flow->BackendIsn + 1)
            return Ended(flow) ? FlowState.Closing : FlowState.Established;
        return flow->State == FlowState.Established && Ended(flow) ? FlowState.Closing : flow->State;
    }

    /// <summary>The state after a segment of the backend.</summary>
    /// <param name="flow">The flow; what was seen is marked in it.</param>
    /// <param name="flags">The segment's flags.</param>
    /// <param name="sequence">Its sequence number.</param>
    /// <param name="acknowledgment">Its acknowledgment number.</param>
    internal static FlowState AfterBackend(Flow* flow, TcpFlags flags, uint sequence, uint acknowledgment)
    {
        if ((flags & TcpFlags.Rst) != 0)
            return FlowState.Closing;
        if ((flags & TcpFlags.Ack) != 0)
            flow->BackendAcknowledgment = acknowledgment;
        if ((flags & (TcpFlags.Syn | TcpFlags.Ack)) == (TcpFlags.Syn | TcpFlags.Ack))
        {
            flow->BackendIsn = sequence;
            flow->Marks |= FlowMarks.BackendIsnKnown;
        }
        if ((flags & TcpFlags.Fin) != 0)
            flow->Marks |= FlowMarks.BackendFin;
        return flow->State == FlowState.Established && Ended(flow) ? FlowState.Closing : flow->State;
    }

    private static bool Ended(Flow* flow) =>
        (flow->Marks & (FlowMarks.ClientFin | FlowMarks.BackendFin)) == (FlowMarks.ClientFin | FlowMarks.BackendFin);
}
