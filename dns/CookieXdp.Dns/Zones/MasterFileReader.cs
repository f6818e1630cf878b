using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Zones;

/// <summary>
/// Reads a standard master file (RFC 1035 §5, RFC 2308 §4) into records. It goes on behind a mistake, so that all of them are told
/// at once; what the records mean together is for <see cref="ZoneRules"/>.
/// </summary>
internal sealed class MasterFileReader
{
    private readonly ZoneErrors _errors;
    private readonly MasterFileLexer _lexer;
    private readonly List<ZoneRecord> _records = [];
    private DnsName _origin;
    private DnsName? _owner;
    private uint? _defaultTtl;
    private uint? _lastTtl;

    private MasterFileReader(string text, DnsName zone, ZoneErrors errors)
    {
        _errors = errors;
        _origin = zone;
        _lexer = new MasterFileLexer(text, errors);
    }

    /// <summary>Reads all records.</summary>
    /// <param name="text">The file, each character one of its bytes (Latin-1): texts are kept byte by byte.</param>
    /// <param name="zone">The zone's name, the first origin.</param>
    /// <param name="errors">Where mistakes go.</param>
    internal static List<ZoneRecord> Read(string text, DnsName zone, ZoneErrors errors)
    {
        var reader = new MasterFileReader(text, zone, errors);
        while (reader._lexer.TryReadEntry())
            reader.ReadEntry([.. reader._lexer.Tokens]);
        return reader._records;
    }

    private void ReadEntry(ReadOnlySpan<MasterFileToken> tokens)
    {
        if (!_lexer.StartsBlank)
        {
            if (!tokens[0].IsQuoted && tokens[0].Text.StartsWith('$'))
            {
                ReadDirective(tokens);
                return;
            }
            // Where an owner cannot be read, the lines below it that have none must not fall to the one before.
            var isRight = DnsName.TryParse(tokens[0].Text, _origin, out _owner, out var error);
            if (!isRight)
                _errors.Add(tokens[0], error!);
            tokens = tokens[1..];
            if (tokens.IsEmpty)
            {
                if (isRight)
                    _errors.Add(_lexer.Tokens[0], $"'{_lexer.Tokens[0].Text}' stands alone: a record has owner, TTL, type and data");
                return;
            }
        }
        else if (_owner is null && _records.Count == 0 && _errors.IsEmpty)
        {
            _errors.Add(tokens[0], "the first record has no owner: begin its line with @ (the zone itself) or a name");
        }
        ReadRecord(tokens);
    }

    private void ReadRecord(ReadOnlySpan<MasterFileToken> tokens)
    {
        uint? ttl = null;
        MasterFileToken? classToken = null;
        while (!tokens.IsEmpty)
        {
            var text = tokens[0].Text;
            if (ttl is null && char.IsAsciiDigit(text.Length > 0 ? text[0] : ' '))
            {
                if (!MasterFileText.TryReadTime(text, out var seconds))
                {
                    _errors.Add(tokens[0], $"'{text}' is neither a TTL (seconds up to 2147483647, or such as 1h30m) nor a type");
                    return;
                }
                ttl = seconds;
            }
            else if (classToken is null && MasterFileText.ReadClass(text) != 0)
            {
                classToken = tokens[0];
            }
            else
            {
                break;
            }
            tokens = tokens[1..];
        }
        if (tokens.IsEmpty)
        {
            _errors.Add(_lexer.Tokens[^1], $"the type is missing behind '{_lexer.Tokens[^1].Text}'");
            return;
        }
        if (classToken is { } other && MasterFileText.ReadClass(other.Text) != Wire.ClassIn)
        {
            _errors.Add(other, $"class {other.Text} is not served: IN is the only one");
            return;
        }
        var typeToken = tokens[0];
        if (ReadType(typeToken) is not { } type)
            return;
        _lastTtl = ttl ?? _lastTtl;
        if ((ttl ?? _defaultTtl ?? _lastTtl) is not { } ttlInForce)
        {
            _errors.Add(typeToken, "the record has no TTL: write one before its type, or $TTL 1h at the top of the file");
            ttlInForce = 0;
        }
        if (RecordData.Read(type, typeToken, tokens[1..], _origin, _errors) is { } data && _owner is not null)
            _records.Add(new(_owner, type, ttlInForce, data, typeToken.Line, typeToken.Column));
    }

    private ushort? ReadType(in MasterFileToken token)
    {
        var type = token.IsQuoted ? (ushort)0 : RecordType.FromText(token.Text);
        if (type != 0)
            return type;
        _errors.Add(token, token.Text.ToUpperInvariant() switch
        {
            "CNAME" or "DNAME" => $"{token.Text} is not supported: give the name its own records",
            "RRSIG" or "NSEC" or "NSEC3" or "NSEC3PARAM" or "DNSKEY" or "DS" => $"{token.Text}: signed zones are not supported; load the unsigned one",
            _ => $"'{token.Text}' is not a type that is served: SOA, NS, MX, A, AAAA, TXT",
        });
        return null;
    }

    private void ReadDirective(ReadOnlySpan<MasterFileToken> tokens)
    {
        var name = tokens[0].Text.ToUpperInvariant();
        if (name is not ("$ORIGIN" or "$TTL"))
        {
            _errors.Add(tokens[0], name is "$INCLUDE" or "$GENERATE"
                ? $"{name} is not supported: write the records in this file"
                : $"'{tokens[0].Text}' is no directive; known here: $ORIGIN, $TTL");
            return;
        }
        if (tokens.Length != 2)
        {
            _errors.Add(tokens[0], $"{name} takes one value, as in {(name == "$TTL" ? "$TTL 1h" : "$ORIGIN mx.example.com.")}");
        }
        else if (name == "$TTL")
        {
            if (MasterFileText.TryReadTime(tokens[1].Text, out var seconds))
                _defaultTtl = seconds;
            else
                _errors.Add(tokens[1], $"'{tokens[1].Text}' is no TTL: seconds up to 2147483647, or such as 1h30m");
        }
        else if (DnsName.TryParse(tokens[1].Text, _origin, out var origin, out var error))
        {
            _origin = origin;
        }
        else
        {
            _errors.Add(tokens[1], error);
        }
    }
}
