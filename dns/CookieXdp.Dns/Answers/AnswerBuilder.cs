using System.Buffers.Binary;
using CookieXdp.Dns.Messages;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Answers;

/// <summary>Writes the records of one answer, names compressed against the question's name and against each other.</summary>
internal sealed class AnswerBuilder
{
    // The greatest offset that stays a pointer after it has moved by the longest name (see CompiledAnswer).
    private const int MaxTarget = Wire.MaxPointer - Wire.MaxNameLength;

    private readonly List<byte> _body = [];
    private readonly List<ushort> _pointers = [];
    private readonly Dictionary<DnsName, int> _places = [];
    private readonly int _suffixLength;
    private readonly int _start;
    private readonly ushort[] _counts = new ushort[3];
    private MintedService? _minted;
    private int _addressAt = -1;
    private int? _additionalAt;

    /// <summary>For a question of this name, or of any name below it.</summary>
    internal AnswerBuilder(DnsName suffix)
    {
        _suffixLength = suffix.Wire.Length;
        _start = Wire.HeaderLength + _suffixLength + Wire.QuestionTailLength;
        Remember(suffix, Wire.HeaderLength);
    }

    /// <summary>Adds a record to the answer section.</summary>
    internal void Answer(ZoneRecord record) => Add(0, record, record.Ttl);

    /// <summary>Adds a template record to the answer section.</summary>
    internal void Answer(ZoneRecord record, MintedService minted)
    {
        Add(0, record, record.Ttl);
        _minted = minted;
        _addressAt = _body.Count - record.Data.Length;
    }

    /// <summary>Adds a record to the authority section.</summary>
    internal void Authority(ZoneRecord record, uint ttl) => Add(1, record, ttl);

    /// <summary>Adds a record to the additional section, after all others.</summary>
    internal void Additional(ZoneRecord record)
    {
        _additionalAt ??= _body.Count;
        Add(2, record, record.Ttl);
    }

    /// <summary>The answer.</summary>
    internal CompiledAnswer Build(bool isAuthoritative = true, bool needsAdditional = false) => new()
    {
        Body = [.. _body],
        Pointers = [.. _pointers],
        SuffixLength = _suffixLength,
        AnswerCount = _counts[0],
        AuthorityCount = _counts[1],
        AdditionalCount = _counts[2],
        AdditionalAt = _additionalAt ?? _body.Count,
        NeedsAdditional = needsAdditional,
        IsAuthoritative = isAuthoritative,
        Minted = _minted,
        AddressAt = _addressAt,
    };

    private void Add(int section, ZoneRecord record, uint ttl)
    {
        _counts[section]++;
        AddName(record.Owner);
        AddUInt16(record.Type);
        AddUInt16(Wire.ClassIn);
        AddUInt16((ushort)(ttl >> 16));
        AddUInt16((ushort)ttl);
        var lengthAt = _body.Count;
        AddUInt16(0);
        AddData(record.Type, record.Data);
        var length = _body.Count - lengthAt - sizeof(ushort);
        _body[lengthAt] = (byte)(length >> 8);
        _body[lengthAt + 1] = (byte)length;
    }

    /// <summary>Names are compressed in the data of the types of RFC 1035 only (RFC 3597 §4).</summary>
    private void AddData(ushort type, ReadOnlySpan<byte> data)
    {
        switch (type)
        {
            case RecordType.Ns:
                AddName(DnsName.FromWire(data));
                break;
            case RecordType.Mx:
                AddUInt16(BinaryPrimitives.ReadUInt16BigEndian(data));
                AddName(DnsName.FromWire(data[2..]));
                break;
            case RecordType.Soa:
                var primary = DnsName.FromWire(data);
                var mailbox = DnsName.FromWire(data[primary.Wire.Length..]);
                AddName(primary);
                AddName(mailbox);
                _body.AddRange(data[(primary.Wire.Length + mailbox.Wire.Length)..]);
                break;
            default:
                _body.AddRange(data);
                break;
        }
    }

    private void AddName(DnsName name)
    {
        for (; !name.IsRoot; name = name.Parent)
        {
            if (_places.TryGetValue(name, out var place))
            {
                _pointers.Add((ushort)_body.Count);
                AddUInt16((ushort)(Wire.PointerFlag | place));
                return;
            }
            Remember(name, _start + _body.Count, deep: false);
            _body.AddRange(name.Wire[..(1 + name.Wire[0])]);
        }
        _body.Add(0);
    }

    private void Remember(DnsName name, int place, bool deep = true)
    {
        while (!name.IsRoot && place <= MaxTarget)
        {
            _places.TryAdd(name, place);
            if (!deep)
                return;
            place += 1 + name.Wire[0];
            name = name.Parent;
        }
    }

    private void AddUInt16(ushort value)
    {
        _body.Add((byte)(value >> 8));
        _body.Add((byte)value);
    }
}
