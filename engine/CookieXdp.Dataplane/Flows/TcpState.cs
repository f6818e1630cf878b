namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// What a segment makes of a flow: enough of TCP to time flows out rightly, and to believe nothing that somebody who does not see the
/// connection could forge. Every segment is passed on, whatever is made of it. Each direction writes its own line only.
/// </summary>
internal static class TcpState
{
    /// <summary>
    /// How far apart the numbers of both directions of a rebuilt flow may lie: data on its way. Who guesses has one chance in 2^11 for each of two.
    /// </summary>
    private const uint Window = 1 << 20;

    /// <summary>The state after a segment of the client.</summary>
    /// <param name="flow">The flow; what was seen is noted in the client's line.</param>
    /// <param name="state">Its state before.</param>
    /// <param name="segment">The segment.</param>
    internal static FlowState AfterClient(ref Flow flow, FlowState state, in Segment segment)
    {
        ref var own = ref flow.Client;
        ref readonly var other = ref flow.Backend;
        if (segment.Has(TcpFlags.Rst))
            return IsNext(own, segment.Sequence) || IsExpected(other, segment.Sequence) ? FlowState.Closing : state;
        Note(ref own, other, state, segment);
        var next = state == FlowState.HalfOpen && Proves(own, other, segment) ? FlowState.Established : state;
        return IsEnded(own, other, next) ? FlowState.Closing : next;
    }

    /// <summary>The state after a segment of the backend.</summary>
    /// <param name="flow">The flow; what was seen is noted in the backend's line.</param>
    /// <param name="state">Its state before.</param>
    /// <param name="segment">The segment.</param>
    internal static FlowState AfterBackend(ref Flow flow, FlowState state, in Segment segment)
    {
        ref var own = ref flow.Backend;
        ref readonly var other = ref flow.Client;
        if (segment.Has(TcpFlags.Rst))
            return IsBackendReset(own, other, state, segment) ? FlowState.Closing : state;
        // Of a rebuilt flow's backend nothing is known until a segment of it fits what the client has sent. (The own line is asked first: the
        // client's is another cache line, and mostly nobody needs it here.)
        if ((own.Marks & FlowMarks.SequenceKnown) == 0 && (other.Marks & FlowMarks.Rebuilt) != 0)
        {
            if (!segment.Has(TcpFlags.Ack) || !AreNear(segment.Acknowledgment, other.Next) || !AreNear(segment.Sequence, other.Acknowledged))
                return state;
            own.Next = segment.Sequence;
            own.Marks |= FlowMarks.SequenceKnown;
        }
        Note(ref own, other, state, segment);
        return IsEnded(own, other, state) ? FlowState.Closing : state;
    }

    /// <summary>Notes the segment that a lost flow is rebuilt from.</summary>
    internal static void BeginRebuilt(ref Flow flow, in Segment segment)
    {
        flow.Client.Next = segment.Sequence + segment.Length;
        flow.Client.Acknowledged = segment.Acknowledgment;
        flow.Client.Marks = FlowMarks.Rebuilt | FlowMarks.SequenceKnown | FlowMarks.AcknowledgedKnown | (segment.Has(TcpFlags.Fin) ? FlowMarks.Fin : FlowMarks.None);
    }

    /// <summary>Notes what a segment shows of its sender.</summary>
    private static void Note(ref FlowSide own, in FlowSide other, FlowState state, in Segment segment)
    {
        if (segment.Has(TcpFlags.Syn))
        {
            // A connection begins once: a SYN in the middle of one is a forgery, or of a host that has restarted and will be told.
            if (state != FlowState.HalfOpen)
                return;
            own.InitialSequence = segment.Sequence;
            own.Next = segment.Sequence + segment.Length;
            own.Marks |= FlowMarks.SequenceKnown;
        }
        else if (segment.Sequence != own.Next && (other.Marks & FlowMarks.AcknowledgedKnown) != 0 && (int)(other.Acknowledged - own.Next) > 0)
        {
            // A segment was lost or overtaken before it came here; what the other side has acknowledged has been sent.
            own.Next = other.Acknowledged;
        }
        if (segment.Sequence == own.Next && segment.Length != 0)
            own.Next += segment.Length;
        if (segment.Has(TcpFlags.Ack) && (own.Acknowledged != segment.Acknowledgment || (own.Marks & FlowMarks.AcknowledgedKnown) == 0))
        {
            own.Acknowledged = segment.Acknowledgment;
            own.Marks |= FlowMarks.AcknowledgedKnown;
        }
        if (segment.Has(TcpFlags.Fin) && (own.Marks & FlowMarks.Fin) == 0)
            own.Marks |= FlowMarks.Fin;
    }

    /// <summary>
    /// Whether the client shows that it hears the backend: it acknowledges the backend's ISN + 1, with or without a SYN of its own (RFC 9293, section
    /// 3.5, simultaneous open). Of a rebuilt flow: both its numbers fit what the backend has sent since.
    /// </summary>
    private static bool Proves(in FlowSide own, in FlowSide other, in Segment segment)
    {
        if (!segment.Has(TcpFlags.Ack) || (other.Marks & FlowMarks.SequenceKnown) == 0)
            return false;
        return (own.Marks & FlowMarks.Rebuilt) == 0
            ? segment.Acknowledgment == other.InitialSequence + 1
            : AreNear(segment.Acknowledgment, other.Next) && AreNear(segment.Sequence, other.Acknowledged);
    }

    /// <summary>
    /// Whether a reset of the backend ends the connection. It answers what was forged, too, with the number that was forged: while
    /// a connection opens, only its own counts (RFC 9293, section 3.10.7.4), and before its SYN only the acknowledgment of the client's.
    /// </summary>
    private static bool IsBackendReset(in FlowSide own, in FlowSide other, FlowState state, in Segment segment)
    {
        if ((own.Marks & FlowMarks.SequenceKnown) != 0)
            return IsNext(own, segment.Sequence) || (state != FlowState.HalfOpen && IsExpected(other, segment.Sequence));
        return (segment.Has(TcpFlags.Ack) && IsNext(other, segment.Acknowledgment)) || IsExpected(other, segment.Sequence);
    }

    /// <summary>Whether a number is the very one that follows what a side has sent (RFC 5961, section 3: any other would only be asked back).</summary>
    private static bool IsNext(in FlowSide sender, uint sequence) => (sender.Marks & FlowMarks.SequenceKnown) != 0 && sequence == sender.Next;

    /// <summary>Whether a number is the very one that a side expects next.</summary>
    private static bool IsExpected(in FlowSide receiver, uint sequence) => (receiver.Marks & FlowMarks.AcknowledgedKnown) != 0 && sequence == receiver.Acknowledged;

    private static bool IsEnded(in FlowSide own, in FlowSide other, FlowState state) =>
        state == FlowState.Established && (own.Marks & FlowMarks.Fin) != 0 && (other.Marks & FlowMarks.Fin) != 0;

    private static bool AreNear(uint left, uint right) => left - right + Window <= 2 * Window;
}
