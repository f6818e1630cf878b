using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// The Ethernet header that a frame leaves with. What tags it came with is the side's that it came from; it leaves with those
/// of the side that it goes to, and the header's start moves by the difference.
/// </summary>
internal static unsafe class Framing
{
    /// <summary>Writes the next hop's header in front of the IPv6 packet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Write(ref Frame frame, NextHop nextHop)
    {
        // Mostly there are tags on neither side; then only the hardware addresses change.
        if ((frame.NetworkOffset | nextHop.Header.Length) == HeaderLayout.EthernetLength)
            Unsafe.CopyBlockUnaligned(ref *frame.Data, ref MemoryMarshal.GetArrayDataReference(nextHop.Header), 2 * HeaderLayout.MacLength);
        else
            Replace(ref frame, nextHop.Header);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Replace(ref Frame frame, byte[] header)
    {
        var moved = frame.NetworkOffset - header.Length;
        frame.Data += moved;
        frame.Length -= moved;
        header.CopyTo(new Span<byte>(frame.Data, header.Length));
    }
}
