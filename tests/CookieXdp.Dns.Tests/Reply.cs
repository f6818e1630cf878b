using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;

namespace CookieXdp.Dns.Tests;

/// <summary>
/// An answer, read strictly and by code of its own: every count right, every pointer backwards, not a byte left over.
/// A record reads as <c>a.mx.example.com. 300 AAAA 2001:db8::1</c>.
/// </summary>
internal sealed record Reply(
    int Length, ushort Id, byte Flags, byte LowFlags, string? Question, byte[] QuestionBytes,
    IReadOnlyList<string> Answers, IReadOnlyList<string> Authorities, IReadOnlyList<string> Additionals, byte[]? Opt, ushort OptSize)
{
    internal string Code => ((Opt is null ? 0 : Opt[0] << 4) | (LowFlags & 0xF)) switch
    {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        16 => "BADVERS",
        var other => other.ToString(CultureInfo.InvariantCulture),
    };

    internal bool IsAuthoritative => (Flags & 4) != 0;

    internal bool IsTruncated => (Flags & 2) != 0;

    internal bool RecursionDesired => (Flags & 1) != 0;

    /// <summary>The address in the only answer.</summary>
    internal IPAddress Address => IPAddress.Parse(Assert.Single(Answers).Split(' ')[^1]);

    internal static Reply Read(ReadOnlySpan<byte> message)
    {
        Assert.True(message.Length >= 12, $"{message.Length} bytes are no answer");
        Assert.True((message[2] & 0x80) != 0, "QR is not set");
        Assert.Equal(0, message[3] & 0xF0);
        var at = 12;
        string? question = null;
        int questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        Assert.InRange(questions, 0, 1);
        if (questions == 1)
        {
            question = $"{ReadName(message, ref at)} {BinaryPrimitives.ReadUInt16BigEndian(message[at..])} {BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..])}";
            at += 4;
        }
        var questionBytes = message[12..at].ToArray();
        byte[]? opt = null;
        ushort optSize = 0;
        var sections = new List<string>[3];
        for (var section = 0; section < 3; section++)
        {
            sections[section] = [];
            for (int count = BinaryPrimitives.ReadUInt16BigEndian(message[(6 + 2 * section)..]); count > 0; count--)
            {
                var owner = ReadName(message, ref at);
                var type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
                var @class = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]);
                var ttl = message.Slice(at + 4, 4);
                int length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
                at += 10;
                if (type == 41)
                {
                    Assert.True(section == 2 && opt is null && owner == "." && length == 0, "the OPT record is not one empty one");
                    opt = ttl.ToArray();
                    optSize = @class;
                }
                else
                {
                    Assert.Equal(1, @class);
                    sections[section].Add($"{owner} {BinaryPrimitives.ReadUInt32BigEndian(ttl)} {ReadData(message, type, at, length)}");
                }
                at += length;
            }
        }
        Assert.Equal(message.Length, at);
        return new(message.Length, BinaryPrimitives.ReadUInt16BigEndian(message), message[2], message[3], question, questionBytes, sections[0], sections[1], sections[2], opt, optSize);
    }

    private static string ReadName(ReadOnlySpan<byte> message, ref int at)
    {
        var text = new StringBuilder();
        var position = at;
        var isJumped = false;
        while (true)
        {
            int label = message[position];
            if (label >= 0xC0)
            {
                int target = BinaryPrimitives.ReadUInt16BigEndian(message[position..]) & 0x3FFF;
                Assert.InRange(target, 12, position - 1);
                // A pointer must lead to a label: one that leads to another pointer is legal, but nothing here needs it.
                Assert.True(message[target] < 0xC0, "a pointer leads to a pointer");
                if (!isJumped)
                    at = position + 2;
                isJumped = true;
                position = target;
                continue;
            }
            Assert.InRange(label, 0, 63);
            position++;
            if (label == 0)
                break;
            text.Append(Encoding.Latin1.GetString(message.Slice(position, label))).Append('.');
            position += label;
        }
        if (!isJumped)
            at = position;
        return text.Length == 0 ? "." : text.ToString();
    }

    private static string ReadData(ReadOnlySpan<byte> message, ushort type, int at, int length)
    {
        var end = at + length;
        string text;
        switch (type)
        {
            case 1 or 28:
                Assert.Equal(type == 1 ? 4 : 16, length);
                text = $"{(type == 1 ? "A" : "AAAA")} {new IPAddress(message.Slice(at, length))}";
                at = end;
                break;
            case 2:
                text = $"NS {ReadName(message, ref at)}";
                break;
            case 15:
                var preference = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
                at += 2;
                text = $"MX {preference} {ReadName(message, ref at)}";
                break;
            case 6:
                text = $"SOA {ReadName(message, ref at)} {ReadName(message, ref at)}";
                for (; at < end; at += 4)
                    text += $" {BinaryPrimitives.ReadUInt32BigEndian(message[at..])}";
                break;
            case 16:
                text = "TXT";
                while (at < end)
                {
                    text += $" \"{Encoding.Latin1.GetString(message.Slice(at + 1, message[at]))}\"";
                    at += 1 + message[at];
                }
                break;
            default:
                text = $"TYPE{type}";
                at = end;
                break;
        }
        Assert.Equal(end, at);
        return text;
    }
}
