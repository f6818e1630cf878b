using System.Buffers.Binary;

namespace CookieXdp.Dns.Messages;

/// <summary>What reading a message came to.</summary>
internal enum QueryReading
{
    /// <summary>A query that can be answered.</summary>
    Query,

    /// <summary>Too short to have an id that could be answered to: nothing is sent.</summary>
    Short,

    /// <summary>A response. Answering it could start an endless exchange with another server: nothing is sent.</summary>
    Response,

    /// <summary>Not a query: FORMERR.</summary>
    Malformed,

    /// <summary>Another operation than a query: NOTIMP.</summary>
    OtherOperation,
}

/// <summary>
/// A query as it stands in the message that came. Reading checks every length and follows no pointer, so that a message
/// costs at most one pass over its bytes.
/// </summary>
internal ref struct QueryMessage
{
    /// <summary>The question's name, wire format, its case as it came; without compression.</summary>
    internal ReadOnlySpan<byte> Name;

    /// <summary>The id, as it stands in the message.</summary>
    internal ushort Id;

    /// <summary>The third byte of the header: QR, operation, AA, TC, RD.</summary>
    internal byte Flags;

    /// <summary>The question's type.</summary>
    internal ushort Type;

    /// <summary>The question's class.</summary>
    internal ushort Class;

    /// <summary>Whether it came with an OPT record.</summary>
    internal bool HasEdns;

    /// <summary>The OPT record's version.</summary>
    internal byte EdnsVersion;

    /// <summary>The greatest UDP answer the sender takes, as the OPT record says; at least 512.</summary>
    internal ushort UdpSize;

    /// <summary>The DO bit: whether DNSSEC records are wanted.</summary>
    internal bool DnssecOk;

    /// <summary>Reads a message. Its id and flags are there whenever it is not <see cref="QueryReading.Short"/>.</summary>
    internal static QueryReading Read(ReadOnlySpan<byte> message, out QueryMessage query)
    {
        query = default;
        query.UdpSize = Wire.PlainUdpSize;
        if (message.Length < Wire.HeaderLength)
            return QueryReading.Short;
        query.Id = BinaryPrimitives.ReadUInt16BigEndian(message);
        query.Flags = message[2];
        if ((query.Flags & Wire.ResponseFlag) != 0)
            return QueryReading.Response;
        if ((query.Flags & Wire.OpcodeMask) != 0)
            return QueryReading.OtherOperation;
        var questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        var answers = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        var authorities = BinaryPrimitives.ReadUInt16BigEndian(message[8..]);
        var additionals = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        // RFC 9619: a query has one question. Only IXFR brings a record of authority (RFC 1995 §3), none brings an answer.
        if (questions != 1 || answers != 0 || authorities > 1)
            return QueryReading.Malformed;
        if (!TryReadQuestion(message, ref query, out var position))
            return QueryReading.Malformed;
        for (var i = 0; i < authorities + additionals; i++)
        {
            if (!TryReadRecord(message, ref query, ref position, isAdditional: i >= authorities))
                return QueryReading.Malformed;
        }
        // Bytes that no count tells of: whoever made this did not mean a query.
        return position == message.Length ? QueryReading.Query : QueryReading.Malformed;
    }

    private static bool TryReadQuestion(ReadOnlySpan<byte> message, ref QueryMessage query, out int position)
    {
        position = Wire.HeaderLength;
        while (true)
        {
            if (position >= message.Length)
                return false;
            int label = message[position];
            // The upper bits tell pointers (RFC 1035) and other label kinds (RFC 6891 §5); no name stands before the question's, so
            // a pointer could name only the header.
            if (label > Wire.MaxLabelLength)
                return false;
            position += 1 + label;
            if (position - Wire.HeaderLength > Wire.MaxNameLength)
                return false;
            if (label == 0)
                break;
        }
        if (message.Length - position < Wire.QuestionTailLength)
            return false;
        query.Name = message[Wire.HeaderLength..position];
        query.Type = BinaryPrimitives.ReadUInt16BigEndian(message[position..]);
        query.Class = BinaryPrimitives.ReadUInt16BigEndian(message[(position + 2)..]);
        position += Wire.QuestionTailLength;
        return query.Type != RecordType.Opt;
    }

    private static bool TryReadRecord(ReadOnlySpan<byte> message, ref QueryMessage query, ref int position, bool isAdditional)
    {
        var start = position;
        if (!TrySkipName(message, ref position) || message.Length - position < 10)
            return false;
        var isRoot = message[start] == 0;
        var fixedPart = message.Slice(position, 10);
        int length = BinaryPrimitives.ReadUInt16BigEndian(fixedPart[8..]);
        position += 10;
        if (message.Length - position < length)
            return false;
        var data = message.Slice(position, length);
        position += length;
        if (BinaryPrimitives.ReadUInt16BigEndian(fixedPart) != RecordType.Opt)
            return true;
        // RFC 6891 §6.1.1: one only, among the additional records, owned by the root.
        if (!isAdditional || !isRoot || query.HasEdns || !AreOptions(data))
            return false;
        query.HasEdns = true;
        query.UdpSize = Math.Max(BinaryPrimitives.ReadUInt16BigEndian(fixedPart[2..]), (ushort)Wire.PlainUdpSize);
        query.EdnsVersion = fixedPart[5];
        query.DnssecOk = (fixedPart[6] & 0x80) != 0;
        return true;
    }

    private static bool TrySkipName(ReadOnlySpan<byte> message, ref int position)
    {
        var start = position;
        while (position < message.Length && position - start < Wire.MaxNameLength)
        {
            int label = message[position];
            if (label >= Wire.PointerFlag >> 8)
            {
                // A pointer ends the name; it must lead backwards, behind the header, else it could lead round.
                if (message.Length - position < 2)
                    return false;
                var target = BinaryPrimitives.ReadUInt16BigEndian(message[position..]) & Wire.MaxPointer;
                position += 2;
                return target >= Wire.HeaderLength && target < start;
            }
            if (label > Wire.MaxLabelLength)
                return false;
            position += 1 + label;
            if (label == 0)
                return true;
        }
        return false;
    }

    private static bool AreOptions(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            if (data.Length < 4)
                return false;
            int length = BinaryPrimitives.ReadUInt16BigEndian(data[2..]);
            if (data.Length - 4 < length)
                return false;
            data = data[(4 + length)..];
        }
        return true;
    }
}
