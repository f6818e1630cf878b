namespace CookieXdp.Dataplane;

/// <summary>What a walk along a packet's headers has found; offsets in bytes from the IPv6 header on.</summary>
internal struct FoundHeaders
{
    /// <summary>TCP or ICMPv6; of a later fragment, whatever its fragment header names.</summary>
    internal byte Protocol;

    /// <summary>Offset of that header, or of what a later fragment carries.</summary>
    internal int Transport;

    /// <summary>Offset of the fragment header; 0 where the packet is whole, atomic fragments included (RFC 6946).</summary>
    internal int Fragment;

    /// <summary>Where in the whole packet a fragment's bytes belong, counted from behind its fragment header.</summary>
    internal int Position;

    /// <summary>Whether it is a fragment but not the first.</summary>
    internal readonly bool IsLaterFragment => Position > 0;
}

/// <summary>
/// Walks the extension headers of RFC 8200, section 4, for as many as a real sender has a use for. What is not known here is refused:
/// an edge that passed it on could not say what it passes (RFC 7045, section 2.1 lets it, as a policy).
/// </summary>
internal static unsafe class ExtensionHeaders
{
    /// <summary>Headers between IPv6 and transport at most: each kind that is walked once, and one more of destination options.</summary>
    internal const int MostHeaders = 6;

    /// <summary>Their bytes at most.</summary>
    internal const int MostBytes = 256;

    /// <summary>Walks to the transport header.</summary>
    /// <param name="ip">The IPv6 header, whole.</param>
    /// <param name="length">Bytes that are there from it on.</param>
    /// <param name="found">What was found.</param>
    /// <returns>None, or what is wrong.</returns>
    internal static DropReason Walk(byte* ip, int length, out FoundHeaders found)
    {
        found = default;
        var next = ip[HeaderLayout.Ipv6NextHeaderOffset];
        var at = HeaderLayout.Ipv6Length;
        for (var walked = 0; walked <= MostHeaders; walked++)
        {
            if (next is HeaderLayout.NextHeaderTcp or HeaderLayout.NextHeaderIcmp)
            {
                found.Protocol = next;
                found.Transport = at;
                return DropReason.None;
            }
            if (!IsWalked(next) || (next == HeaderLayout.NextHeaderHopByHop && walked > 0))
                return IsTransport(next) ? DropReason.NotTcp : DropReason.ExtensionHeader;
            if (length < at + HeaderLayout.FragmentLength)
                return DropReason.Truncated;
            var header = ip + at;
            if (next == HeaderLayout.NextHeaderRouting
                && (header[HeaderLayout.RoutingTypeOffset] == 0 || header[HeaderLayout.RoutingSegmentsLeftOffset] != 0))
                return DropReason.RoutingHeader;
            if (next == HeaderLayout.NextHeaderFragment)
            {
                var drop = WalkFragment(ip, at, length, ref found);
                if (drop != DropReason.None || found.IsLaterFragment)
                    return drop;
            }
            at += LengthOf(next, header);
            next = header[0];
            if (at > HeaderLayout.Ipv6Length + MostBytes)
                return DropReason.ExtensionHeader;
            // A first fragment that ends within its headers (RFC 7112).
            if (at > length)
                return found.Fragment != 0 ? DropReason.BadFragment : DropReason.Truncated;
        }
        return DropReason.ExtensionHeader;
    }

    private static DropReason WalkFragment(byte* ip, int at, int length, ref FoundHeaders found)
    {
        if (found.Fragment != 0)
            return DropReason.ExtensionHeader;
        var field = FrameParser.ReadUInt16(ip + at + HeaderLayout.FragmentPositionOffset);
        var position = field & ~7;
        var more = (field & 1) != 0;
        // An atomic fragment is a whole packet with a fragment header (RFC 6946).
        if (position == 0 && !more)
            return DropReason.None;
        // Later fragments name what the first one did, most of them at least: other protocols need not be looked at further.
        var protocol = ip[at];
        if (position > 0 && protocol != HeaderLayout.NextHeaderTcp && !IsWalked(protocol))
            return IsTransport(protocol) ? DropReason.NotTcp : DropReason.ExtensionHeader;
        var carried = length - at - HeaderLayout.FragmentLength;
        // RFC 8200, section 4.5: all but the last carry whole units of eight bytes, and nothing lies beyond 65 535.
        if (carried <= 0 || (more && carried % 8 != 0) || position + carried > ushort.MaxValue)
            return DropReason.BadFragment;
        found.Fragment = at;
        found.Position = position;
        found.Protocol = protocol;
        found.Transport = at + HeaderLayout.FragmentLength;
        return DropReason.None;
    }

    private static int LengthOf(byte kind, byte* header) => kind switch
    {
        HeaderLayout.NextHeaderFragment => HeaderLayout.FragmentLength,
        HeaderLayout.NextHeaderAuthentication => (header[1] + 2) * 4,
        _ => (header[1] + 1) * 8,
    };

    private static bool IsWalked(byte nextHeader) => nextHeader is HeaderLayout.NextHeaderHopByHop or HeaderLayout.NextHeaderRouting
        or HeaderLayout.NextHeaderFragment or HeaderLayout.NextHeaderAuthentication or HeaderLayout.NextHeaderDestination;

    /// <summary>Protocols that somebody may really send, for an operator to tell them from headers that nobody knows: IPv4, UDP, IPv6, GRE, ICMPv6, DCCP, SCTP, UDP-Lite.</summary>
    private static bool IsTransport(byte nextHeader) => nextHeader is 4 or 17 or 41 or 47 or 58 or 33 or 132 or 136;
}
