using System.Buffers.Binary;

namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>Frames with a number and a content that follows from the number, so that a receiver can tell whether one is intact.</summary>
internal static class TestFrame
{
    internal const int MaxLength = 1514;
    private const int NumberAt = 14;

    internal static ReadOnlySpan<byte> Write(Span<byte> room, uint number)
    {
        var frame = room[..LengthOf(number)];
        Fill(frame, number);
        return frame;
    }

    internal static uint NumberOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt32BigEndian(frame[NumberAt..]);

    internal static bool IsIntact(ReadOnlySpan<byte> frame)
    {
        Span<byte> right = stackalloc byte[MaxLength];
        return frame.Length >= NumberAt + 4 && frame.SequenceEqual(Write(right, NumberOf(frame)));
    }

    private static int LengthOf(uint number) => 60 + (int)(number * 2654435761u % (MaxLength - 60 + 1));

    private static void Fill(Span<byte> frame, uint number)
    {
        frame[..6].Fill(0x02);
        frame[6..12].Fill(0x06);
        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], RawSocket.EtherType);
        BinaryPrimitives.WriteUInt32BigEndian(frame[NumberAt..], number);
        var state = number | 1;
        for (var i = NumberAt + 4; i < frame.Length; i++)
        {
            state = (state * 1664525) + 1013904223;
            frame[i] = (byte)(state >> 24);
        }
    }
}
