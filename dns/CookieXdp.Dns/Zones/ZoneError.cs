using System.Globalization;

namespace CookieXdp.Dns.Zones;

/// <summary>One thing that is wrong with a zone: where, and what would be right.</summary>
/// <param name="File">The master file's path.</param>
/// <param name="Line">The line, from 1; 0 where the whole file is meant.</param>
/// <param name="Column">The column, from 1; 0 where the whole file is meant.</param>
/// <param name="Message">What is wrong and what would be right.</param>
internal sealed record ZoneError(string File, int Line, int Column, string Message)
{
    /// <summary>In the form <c>file:line:column: message</c>.</summary>
    public override string ToString() =>
        Line == 0 ? $"{File}: {Message}" : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}: {Message}");
}

/// <summary>Zones have mistakes: all of them, by file and line.</summary>
internal sealed class ZoneException(IReadOnlyList<ZoneError> errors) : Exception(string.Join(Environment.NewLine, errors))
{
    /// <summary>The mistakes.</summary>
    internal IReadOnlyList<ZoneError> Errors { get; } = errors;
}

/// <summary>Collects what is wrong with one master file.</summary>
internal sealed class ZoneErrors(string file)
{
    /// <summary>More than this many are not told: a file of another kind would give one a line.</summary>
    internal const int Most = 100;

    private readonly List<ZoneError> _errors = [];
    private int _untold;

    /// <summary>Whether nothing was wrong so far.</summary>
    internal bool IsEmpty => _errors.Count == 0;

    /// <summary>Adds one.</summary>
    internal void Add(int line, int column, string message)
    {
        if (_errors.Count < Most)
            _errors.Add(new(file, line, column, message));
        else
            _untold++;
    }

    /// <summary>Adds one about a word.</summary>
    internal void Add(in MasterFileToken token, string message) => Add(token.Line, token.Column, message);

    /// <summary>Adds one about a record.</summary>
    internal void Add(ZoneRecord record, string message) => Add(record.Line, record.Column, $"{record.Owner} {Messages.RecordType.ToText(record.Type)}: {message}");

    /// <summary>Adds one about the whole file.</summary>
    internal void Add(string message) => Add(0, 0, message);

    /// <summary>All of them in the order of their lines.</summary>
    internal IEnumerable<ZoneError> InOrder()
    {
        var ordered = _errors.OrderBy(error => error.Line).ThenBy(error => error.Column);
        return _untold == 0 ? ordered : ordered.Append(new(file, 0, 0, string.Create(CultureInfo.InvariantCulture, $"and {_untold} more")));
    }
}
