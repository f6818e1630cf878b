using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// A neighbour solicitation (RFC 4861, section 4.3): somebody on the uplink's link asks who has an address. Here is only its form;
/// whether its target is a genuine cookie is asked together with all other cookies.
/// </summary>
internal static unsafe class NeighbourSolicitation
{
    /// <summary>The checks of RFC 4861, section 7.1.1, but for the checksum.</summary>
    internal static DropReason Check(ref Frame frame, bool toGroup)
    {
        var ip = frame.Ip;
        var message = frame.Data + frame.TransportOffset;
        var length = frame.Length - frame.TransportOffset;
        if (ip[HeaderLayout.Ipv6HopLimitOffset] != HeaderLayout.NeighbourHopLimit
            || message[1] != 0
            || length < HeaderLayout.SolicitationLength
            || message[HeaderLayout.SolicitationTargetOffset] == 0xFF
            || !AreSoundOptions(message + HeaderLayout.SolicitationLength, length - HeaderLayout.SolicitationLength, out var hasSourceAddress))
            return DropReason.NeighbourDiscovery;
        // The unspecified source asks whether its future address is free: to the group, and without a hardware address.
        if (IsUnspecified(ip + HeaderLayout.Ipv6SourceOffset) ? !toGroup || hasSourceAddress : ip[HeaderLayout.Ipv6SourceOffset] is 0xFF or 0)
            return DropReason.NeighbourDiscovery;
        frame.Kind = FrameKind.NeighbourSolicitation;
        frame.CookieOffset = (ushort)(frame.TransportOffset + HeaderLayout.SolicitationTargetOffset);
        return DropReason.None;
    }

    /// <summary>Whether an address is ::, the source of duplicate address detection (RFC 4862, section 5.4).</summary>
    internal static bool IsUnspecified(byte* address) => (Unsafe.ReadUnaligned<ulong>(address) | Unsafe.ReadUnaligned<ulong>(address + 8)) == 0;

    private static bool AreSoundOptions(byte* at, int length, out bool hasSourceAddress)
    {
        hasSourceAddress = false;
        while (length > 0)
        {
            if (length < 8 || at[1] == 0 || at[1] * 8 > length)
                return false;
            hasSourceAddress |= at[0] == HeaderLayout.OptionSourceLinkAddress;
            length -= at[1] * 8;
            at += at[1] * 8;
        }
        return true;
    }
}
