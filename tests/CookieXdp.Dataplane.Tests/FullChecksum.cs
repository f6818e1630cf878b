using System.Buffers.Binary;

namespace CookieXdp.Dataplane.Tests;

/// <summary>Checksums summed up in full, word by word in network byte order: a second opinion that shares nothing with the packet path.</summary>
internal static class FullChecksum
{
    /// <summary>The checksum of a message whose checksum field is zero (RFC 8200, section 8.1).</summary>
    public static ushort Of(ReadOnlySpan<byte> source, ReadOnlySpan<byte> destination, byte protocol, ReadOnlySpan<byte> message)
    {
        var sum = Words(source) + Words(destination) + message.Length + protocol + Words(message);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }

    /// <summary>
    /// Whether the TCP or ICMPv6 checksum of a frame is right; null where it has none that can be told: a fragment, another protocol, not
    /// all of it there.
    /// </summary>
    public static bool? IsRight(ReadOnlySpan<byte> frame)
    {
        var at = 12;
        while (at + 4 <= frame.Length && (frame[at] << 8 | frame[at + 1]) is 0x8100 or 0x88A8)
            at += 4;
        return at + 2 > frame.Length || (frame[at] << 8 | frame[at + 1]) != 0x86DD ? null : IsRightPacket(frame[(at + 2)..]);
    }

    private static bool? IsRightPacket(ReadOnlySpan<byte> ip)
    {
        if (ip.Length < 40)
            return null;
        var end = 40 + BinaryPrimitives.ReadUInt16BigEndian(ip[4..]);
        if (end > ip.Length)
            return null;
        var next = ip[6];
        var at = 40;
        while (next is 0 or 43 or 44 or 51 or 60)
        {
            if (at + 8 > end || (next == 44 && (BinaryPrimitives.ReadUInt16BigEndian(ip[(at + 2)..]) & 0xFFF9) != 0))
                return null;
            var length = next == 44 ? 8 : next == 51 ? (ip[at + 1] + 2) * 4 : (ip[at + 1] + 1) * 8;
            next = ip[at];
            at += length;
        }
        var field = next == 6 ? 16 : next == 58 ? 2 : -1;
        if (field < 0 || at + field + 2 > end)
            return null;
        var message = ip[at..end].ToArray();
        var stated = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(field));
        message[field] = message[field + 1] = 0;
        // Zero and its complement are the same number.
        return (Of(ip[8..24], ip[24..40], next, message) - stated) % 0xFFFF == 0;
    }

    private static long Words(ReadOnlySpan<byte> bytes)
    {
        long sum = 0;
        for (var i = 0; i < bytes.Length; i += 2)
            sum += (bytes[i] << 8) | (i + 1 < bytes.Length ? bytes[i + 1] : 0);
        return sum;
    }
}
