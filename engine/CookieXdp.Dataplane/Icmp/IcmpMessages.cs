namespace CookieXdp.Dataplane;

/// <summary>Tells apart which ICMPv6 messages the path has a use for (RFC 4443); none is believed before its checksum has been verified.</summary>
internal static unsafe class IcmpMessages
{
    /// <summary>Sets the frame's kind.</summary>
    /// <param name="frame">The frame, its offsets set.</param>
    /// <param name="toGroup">Whether its destination is a multicast group.</param>
    /// <returns>None, or why the frame must not go on.</returns>
    internal static DropReason Classify(ref Frame frame, bool toGroup)
    {
        if (frame.FragmentOffset != 0)
            return DropReason.BadFragment;
        if (frame.Length - frame.TransportOffset < HeaderLayout.IcmpLength)
            return DropReason.Truncated;
        var type = frame.Data[frame.TransportOffset];
        switch (type)
        {
            case IcmpType.NeighbourSolicitation:
                return NeighbourSolicitation.Check(ref frame, toGroup);
            // Multicast listeners, routers, advertisements, redirects: nobody has such things to say to the prefix (RFC 2710, 3810, 4861).
            case >= 130 and <= 137 or 143:
                return DropReason.NeighbourDiscovery;
            case >= IcmpType.Unreachable and <= IcmpType.ParameterProblem:
                frame.Kind = FrameKind.IcmpError;
                break;
            case IcmpType.EchoRequest:
                frame.Kind = FrameKind.EchoRequest;
                break;
            default:
                return DropReason.NotTcp;
        }
        if (toGroup)
            return DropReason.ForeignMac;
        return FrameParser.IsUnicast(frame.Ip + HeaderLayout.Ipv6SourceOffset) ? DropReason.None : DropReason.BadSource;
    }
}
