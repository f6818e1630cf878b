namespace CookieXdp.Dns.Zones;

/// <summary>A word of a master file.</summary>
/// <param name="Text">Its characters, each a byte of the file, escapes still in it and quotes not.</param>
/// <param name="IsQuoted">Whether it stood in quotes.</param>
/// <param name="Line">Its line, from 1.</param>
/// <param name="Column">Its column, from 1.</param>
internal readonly record struct MasterFileToken(string Text, bool IsQuoted, int Line, int Column);

/// <summary>
/// Cuts a master file (RFC 1035 §5.1) into entries and these into words: comments, quotes, escapes and parentheses end here.
/// </summary>
internal sealed class MasterFileLexer(string text, ZoneErrors errors)
{
    private readonly List<MasterFileToken> _tokens = [];
    private int _at;
    private int _line = 1;
    private int _lineStart;

    /// <summary>The words of the entry read last.</summary>
    internal IReadOnlyList<MasterFileToken> Tokens => _tokens;

    /// <summary>Whether that entry began with a blank: its owner is the one before it.</summary>
    internal bool StartsBlank { get; private set; }

    private int Column => _at - _lineStart + 1;

    /// <summary>Reads the next entry that has words.</summary>
    /// <returns>False at the end of the file.</returns>
    internal bool TryReadEntry()
    {
        _tokens.Clear();
        StartsBlank = _at < text.Length && text[_at] is ' ' or '\t';
        (int Line, int Column)? open = null;
        while (_at < text.Length)
        {
            switch (text[_at])
            {
                case '\n':
                    NextLine();
                    if (open is not null)
                        break;
                    if (_tokens.Count > 0)
                        return true;
                    StartsBlank = _at < text.Length && text[_at] is ' ' or '\t';
                    break;
                case ' ' or '\t' or '\r':
                    _at++;
                    break;
                case ';':
                    while (_at < text.Length && text[_at] != '\n')
                        _at++;
                    break;
                case '(':
                    if (open is not null)
                        errors.Add(_line, Column, "( stands within ( ): close the first one before");
                    open ??= (_line, Column);
                    _at++;
                    break;
                case ')':
                    if (open is null)
                        errors.Add(_line, Column, ") without a ( before it");
                    open = null;
                    _at++;
                    break;
                case '"':
                    ReadQuoted();
                    break;
                default:
                    ReadWord();
                    break;
            }
        }
        if (open is { } place)
            errors.Add(place.Line, place.Column, "( is never closed: put a ) behind the record's last field");
        return _tokens.Count > 0;
    }

    private void NextLine()
    {
        _at++;
        _line++;
        _lineStart = _at;
    }

    private void ReadQuoted()
    {
        var column = Column;
        var start = ++_at;
        while (_at < text.Length && text[_at] is not '"' and not '\n')
            _at += text[_at] == '\\' && _at + 1 < text.Length && text[_at + 1] != '\n' ? 2 : 1;
        var end = Math.Min(_at, text.Length);
        if (end == text.Length || text[end] == '\n')
            errors.Add(_line, column, "the text in quotes is not closed on its line: put a \" at its end");
        else
            _at++;
        _tokens.Add(new(text[start..end], IsQuoted: true, _line, column));
    }

    private void ReadWord()
    {
        var column = Column;
        var start = _at;
        while (_at < text.Length && text[_at] is not (' ' or '\t' or '\r' or '\n' or ';' or '(' or ')' or '"'))
            _at += text[_at] == '\\' && _at + 1 < text.Length && text[_at + 1] != '\n' ? 2 : 1;
        _at = Math.Min(_at, text.Length);
        _tokens.Add(new(text[start.._at], IsQuoted: false, _line, column));
    }
}
