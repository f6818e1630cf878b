namespace CookieXdp.Dns.Messages;

/// <summary>Sizes and bits of DNS messages (RFC 1035 §4.1, RFC 6891).</summary>
internal static class Wire
{
    /// <summary>Bytes of a message's header.</summary>
    internal const int HeaderLength = 12;

    /// <summary>Bytes of the longest name.</summary>
    internal const int MaxNameLength = 255;

    /// <summary>Bytes of the longest label, without its length byte.</summary>
    internal const int MaxLabelLength = 63;

    /// <summary>Bytes of type and class behind the name of a question.</summary>
    internal const int QuestionTailLength = 4;

    /// <summary>Bytes of an OPT record without options.</summary>
    internal const int OptLength = 11;

    /// <summary>The greatest UDP answer without EDNS, and the least that EDNS may ask for (RFC 6891 §6.2.3).</summary>
    internal const int PlainUdpSize = 512;

    /// <summary>The greatest UDP answer at all: what passes 1280-byte links unfragmented (DNS flag day 2020).</summary>
    internal const int MaxUdpSize = 1232;

    /// <summary>The greatest TCP message: its length has 16 bits.</summary>
    internal const int MaxMessageLength = 65_535;

    /// <summary>The two upper bits of a compression pointer (RFC 1035 §4.1.4).</summary>
    internal const ushort PointerFlag = 0xC000;

    /// <summary>The farthest place a compression pointer can name.</summary>
    internal const int MaxPointer = 0x3FFF;

    /// <summary>The class IN.</summary>
    internal const ushort ClassIn = 1;

    internal const byte ResponseFlag = 0x80;
    internal const byte AuthoritativeFlag = 0x04;
    internal const byte TruncatedFlag = 0x02;
    internal const byte RecursionDesiredFlag = 0x01;
    internal const byte OpcodeMask = 0x78;

    /// <summary>Copies a name (or any of its bytes) with A–Z made a–z. Length bytes are below 'A', so that whole names may pass.</summary>
    internal static void ToLower(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        for (var i = 0; i < source.Length; i++)
        {
            var value = source[i];
            destination[i] = (uint)(value - 'A') <= 'Z' - 'A' ? (byte)(value | 0x20) : value;
        }
    }
}
