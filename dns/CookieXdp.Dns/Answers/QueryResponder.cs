using System.Buffers.Binary;
using CookieXdp.Cookies;
using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Answers;

/// <summary>
/// From a query's bytes to its answer's bytes: no I/O, no clock, no allocation. Any number of threads may use one.
/// </summary>
internal sealed class QueryResponder
{
    /// <summary>Bytes that a response buffer must have at least.</summary>
    internal const int LeastResponseLength = Wire.PlainUdpSize;

    private readonly MintingKeys _keys;
    private volatile ServedZones _zones;

    /// <summary>With the zones to begin with.</summary>
    internal QueryResponder(ServedZones zones, MintingKeys keys)
    {
        _zones = zones;
        _keys = keys;
    }

    /// <summary>The zones that are answered from; another pointer is in force with the next query.</summary>
    internal ServedZones Zones
    {
        get => _zones;
        set => _zones = value;
    }

    /// <summary>Answers a query.</summary>
    /// <param name="query">The message as it came.</param>
    /// <param name="context">How it came.</param>
    /// <param name="response">Receives the answer, <see cref="LeastResponseLength"/> bytes or more; its length limits a TCP answer.</param>
    /// <returns>The answer's length; 0 where nothing is to be sent.</returns>
    internal int Answer(ReadOnlySpan<byte> query, in QueryContext context, Span<byte> response)
    {
        if (response.Length < LeastResponseLength)
            throw new ArgumentException("the response buffer is shorter than the least DNS message", nameof(response));
        switch (QueryMessage.Read(query, out var message))
        {
            case QueryReading.Query:
                return Answer(message, context, response);
            case QueryReading.Short:
                context.Counters.CountDrop(DropReason.Short);
                return 0;
            case QueryReading.Response:
                context.Counters.CountDrop(DropReason.Response);
                return 0;
            case QueryReading.OtherOperation:
                return AnswerWithoutQuestion(message, ResponseCode.NotImplemented, context, response);
            default:
                return AnswerWithoutQuestion(message, ResponseCode.FormatError, context, response);
        }
    }

    private int Answer(in QueryMessage query, in QueryContext context, Span<byte> response)
    {
        if (query.HasEdns && query.EdnsVersion != 0)
            return Write(query, ResponseCode.BadVersion, answer: null, context, response);
        if (query.Class != Wire.ClassIn)
            return Write(query, ResponseCode.Refused, answer: null, context, response);
        if (RecordType.IsMeta(query.Type) && query.Type != RecordType.Any)
        {
            // Only servers that mint may answer for the zone, and a copy of it would not: nothing is transferred.
            var code = query.Type is RecordType.Axfr or RecordType.Ixfr ? ResponseCode.Refused : ResponseCode.NotImplemented;
            return Write(query, code, answer: null, context, response);
        }
        Span<byte> space = stackalloc byte[Wire.MaxNameLength];
        var lower = space[..query.Name.Length];
        Wire.ToLower(query.Name, lower);
        if (_zones.Find(lower) is not { } zone)
            return Write(query, ResponseCode.Refused, answer: null, context, response);
        var answer = Find(zone, lower, query.Type, out var outcome);
        return Write(query, outcome, answer, context, response);
    }

    private static CompiledAnswer Find(ServedZone zone, ReadOnlySpan<byte> lower, ushort type, out ResponseCode code)
    {
        code = ResponseCode.NoError;
        var suffixAt = 0;
        var node = zone.HasCuts ? zone.Nodes.FindLongest(lower, out suffixAt) : zone.Nodes.Find(lower);
        if (node?.Referral is { } referral)
        {
            // DS is the one type that the parent of a delegation answers for (RFC 4035 §3.1.4.1).
            var isDsOfCut = type == RecordType.Ds && referral.SuffixLength == lower.Length;
            return isDsOfCut ? zone.Negative : referral;
        }
        if (node is null || suffixAt != 0)
        {
            code = ResponseCode.NameError;
            return zone.Negative;
        }
        return (type == RecordType.Any ? node.Any : node.Find(type)) ?? zone.Negative;
    }

    /// <summary>Writes header, question, as much of the answer as fits, and OPT where the query had one.</summary>
    private int Write(in QueryMessage query, ResponseCode code, CompiledAnswer? answer, in QueryContext context, Span<byte> response)
    {
        var limit = Limit(query, context.Transport, response.Length) - (query.HasEdns ? Wire.OptLength : 0);
        query.Name.CopyTo(response[Wire.HeaderLength..]);
        var length = Wire.HeaderLength + query.Name.Length;
        BinaryPrimitives.WriteUInt16BigEndian(response[length..], query.Type);
        BinaryPrimitives.WriteUInt16BigEndian(response[(length + 2)..], query.Class);
        length += Wire.QuestionTailLength;

        var isTruncated = false;
        ushort answers = 0, authorities = 0, additionals = 0;
        if (answer is not null)
        {
            var all = answer.Body.Length;
            if (length + answer.AdditionalAt > limit)
            {
                isTruncated = true;
                all = 0;
            }
            else
            {
                answers = answer.AnswerCount;
                authorities = answer.AuthorityCount;
                if (length + all <= limit)
                {
                    additionals = answer.AdditionalCount;
                }
                else
                {
                    isTruncated = answer.NeedsAdditional;
                    all = answer.AdditionalAt;
                }
            }
            answer.CopyTo(response[length..], all, query.Name.Length);
            if (all > 0 && answer.Minted is not null && !TryMint(answer, context, response.Slice(length + answer.AddressAt, 16)))
                return Write(query, ResponseCode.ServerFailure, answer: null, context, response);
            length += all;
        }
        if (isTruncated)
            context.Counters.CountTruncated();
        if (query.HasEdns)
        {
            WriteOpt(response.Slice(length, Wire.OptLength), code, query.DnssecOk);
            length += Wire.OptLength;
            additionals++;
        }
        var flags = (answer is { IsAuthoritative: true } ? Wire.AuthoritativeFlag : 0) | (isTruncated ? Wire.TruncatedFlag : 0);
        WriteHeader(query, code, (byte)flags, response);
        response[5] = 1;
        BinaryPrimitives.WriteUInt16BigEndian(response[6..], answers);
        BinaryPrimitives.WriteUInt16BigEndian(response[8..], authorities);
        BinaryPrimitives.WriteUInt16BigEndian(response[10..], additionals);
        context.Counters.CountAnswer(query.Type, code);
        return length;
    }

    private bool TryMint(CompiledAnswer answer, in QueryContext context, Span<byte> address)
    {
        var service = answer.Minted!;
        var interval = CookieTime.IntervalStart(context.UnixSeconds, service.MintEvery);
        var isVerified = context.Transport == Transport.Tcp;
        if (_keys.Of(service.PrefixIndex)?.TryMint(context.Resolver, interval, service.Id, isVerified, ecs: false, address) == true)
        {
            context.Counters.CountMinted(service);
            return true;
        }
        context.Counters.CountKeyless();
        return false;
    }

    private static int AnswerWithoutQuestion(in QueryMessage query, ResponseCode code, in QueryContext context, Span<byte> response)
    {
        WriteHeader(query, code, flags: 0, response);
        context.Counters.CountAnswer(type: 0, code);
        return Wire.HeaderLength;
    }

    private static int Limit(in QueryMessage query, Transport transport, int bufferLength)
    {
        var limit = transport == Transport.Tcp ? Wire.MaxMessageLength
            : query.HasEdns ? Math.Min((int)query.UdpSize, Wire.MaxUdpSize)
            : Wire.PlainUdpSize;
        return Math.Min(limit, bufferLength);
    }

    /// <summary>Writes id and flags, all counts zero. The operation and RD are the query's; RA is never set.</summary>
    private static void WriteHeader(in QueryMessage query, ResponseCode code, byte flags, Span<byte> response)
    {
        response[..Wire.HeaderLength].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(response, query.Id);
        response[2] = (byte)(Wire.ResponseFlag | (query.Flags & (Wire.OpcodeMask | Wire.RecursionDesiredFlag)) | flags);
        response[3] = (byte)((int)code & 0xF);
    }

    private static void WriteOpt(Span<byte> record, ResponseCode code, bool dnssecOk)
    {
        record.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(record[1..], RecordType.Opt);
        BinaryPrimitives.WriteUInt16BigEndian(record[3..], Wire.MaxUdpSize);
        record[5] = (byte)((int)code >> 4);
        // RFC 3225 §3: DO is given back as it came.
        record[7] = (byte)(dnssecOk ? 0x80 : 0);
    }
}
