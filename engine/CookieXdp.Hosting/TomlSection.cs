using System.Globalization;
using System.Net;
using CookieXdp.Cookies;
using Tomlyn.Syntax;

namespace CookieXdp.Hosting;

/// <summary>
/// A table of the configuration file as its reader asks for it: each question names a key, says what would be right where the
/// answer is not, and remembers that the key is known, so that <see cref="ReportUnknownKeys"/> can name the others.
/// </summary>
internal sealed class TomlSection
{
    private readonly Document _document;
    private readonly string _path;
    private readonly SyntaxNode _place;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    private TomlSection(Document document, string path, SyntaxNode place)
    {
        _document = document;
        _path = path;
        _place = place;
    }

    /// <summary>What is wrong, so far, anywhere in the file.</summary>
    internal List<SettingsError> Errors => _document.Errors;

    /// <summary>Reads the tree of a document; mistakes of syntax and double keys are among <see cref="Errors"/>.</summary>
    internal static TomlSection Read(string file, string text)
    {
        var document = new Document(file, Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/", []);
        DocumentSyntax syntax;
        try
        {
            syntax = Tomlyn.Parsing.SyntaxParser.Parse(text, file, validate: true);
        }
        catch (ArgumentException e)
        {
            // Found by fuzzing: its lexer throws on escapes of what is no character, such as "\ud800", instead of reporting them.
            document.Errors.Add(new(file, 0, 0, "", $"is no TOML: {e.Message}"));
            return new TomlSection(document, "", new DocumentSyntax());
        }
        foreach (var diagnostic in syntax.Diagnostics)
        {
            var start = diagnostic.Span.Start;
            document.Errors.Add(new(file, start.Line + 1, start.Column + 1, "", diagnostic.Message));
        }
        var root = new TomlSection(document, "", syntax);
        // What a parser makes of a file after a mistake in its syntax only leads to more mistakes.
        if (document.Errors.Count == 0)
        {
            foreach (var pair in syntax.KeyValues)
                root.Add(pair);
            foreach (var table in syntax.Tables)
                root.Add(table);
        }
        return root;
    }

    /// <summary>Says that something about a key is wrong.</summary>
    internal void Report(string key, string message)
    {
        var place = _entries.TryGetValue(key, out var entry) ? entry.Place : _place;
        var start = place.Span.Start;
        var name = _path.Length == 0 ? key : key.Length == 0 ? _path : $"{_path}.{key}";
        var inFile = place is not DocumentSyntax;
        Errors.Add(new(_document.File, inFile ? start.Line + 1 : 0, inFile ? start.Column + 1 : 0, name, message));
    }

    /// <summary>Names every key that nobody asked for, here and below.</summary>
    internal void ReportUnknownKeys()
    {
        foreach (var (key, entry) in _entries)
        {
            if (!entry.Known)
                Report(key, $"unknown key; known here: {string.Join(", ", _known.Order(StringComparer.Ordinal))}");
            else
                entry.Sections?.ForEach(section => section.ReportUnknownKeys());
        }
    }

    /// <summary>The table of a key, or null where there is none.</summary>
    internal TomlSection? Section(string key)
    {
        if (Find(key) is not { } entry)
            return null;
        if (entry.Sections is [var section] && !entry.IsArray)
            return section;
        Report(key, $"must be one table: [{(_path.Length == 0 ? key : $"{_path}.{key}")}]");
        return null;
    }

    /// <summary>The tables of an array of tables.</summary>
    internal IReadOnlyList<TomlSection> Sections(string key)
    {
        if (Find(key) is not { } entry)
            return [];
        if (entry.IsArray && entry.Sections is not null)
            return entry.Sections;
        Report(key, $"must be an array of tables: write each as [[{(_path.Length == 0 ? key : $"{_path}.{key}")}]]");
        return [];
    }

    /// <summary>A text, or null where the key is absent or wrong.</summary>
    internal string? Text(string key, string example, bool required = false)
    {
        if (Find(key) is not { } entry)
        {
            if (required)
                Report(key, $"is missing; for example {key} = {example}");
            return null;
        }
        if (entry.Value is StringValueSyntax { Value: { Length: > 0 } text })
            return text;
        Report(key, $"must be a text, for example {key} = {example}");
        return null;
    }

    /// <summary>A path; a relative one starts at the configuration file's folder.</summary>
    internal string? File(string key, string example, bool required = false) =>
        Text(key, example, required) is { } path ? Path.GetFullPath(path, _document.Folder) : null;

    /// <summary>A whole number within bounds.</summary>
    internal long? Number(string key, long least, long most, string? required = null)
    {
        if (Find(key) is not { } entry)
        {
            if (required is not null)
                Report(key, $"is missing: {required}");
            return null;
        }
        if (entry.Value is IntegerValueSyntax { Value: var number } && number >= least && number <= most)
            return number;
        Report(key, string.Create(CultureInfo.InvariantCulture, $"must be a whole number from {least} to {most}"));
        return null;
    }

    /// <summary>A time: a number of seconds, or a text such as "90s", "5m", "1h", "2d".</summary>
    /// <returns>Seconds.</returns>
    internal long Duration(string key, long fallback, long least, long most)
    {
        if (Find(key) is not { } entry)
            return fallback;
        var seconds = entry.Value switch
        {
            IntegerValueSyntax { Value: var number } => number,
            StringValueSyntax { Value: { } text } => ParseDuration(text),
            _ => -1,
        };
        if (seconds >= least && seconds <= most)
            return seconds;
        Report(key, $"must be a time from {FormatDuration(least)} to {FormatDuration(most)}, for example \"{FormatDuration(fallback)}\"");
        return fallback;
    }

    /// <summary>A list of texts; empty where absent.</summary>
    internal IReadOnlyList<string> TextList(string key, string example, bool required = false)
    {
        var entry = Find(key);
        var texts = new List<string>();
        if (entry?.Value is ArraySyntax array)
        {
            foreach (var item in array.Items)
            {
                if (item.Value is StringValueSyntax { Value: { Length: > 0 } text })
                    texts.Add(text);
                else
                    Report(key, $"must hold texts only, for example {key} = {example}");
            }
        }
        else if (entry is not null)
        {
            Report(key, $"must be a list of texts, for example {key} = {example}");
            return texts;
        }
        if (required && texts.Count == 0)
            Report(key, $"must name at least one, for example {key} = {example}");
        return texts;
    }

    /// <summary>A list of whole numbers within bounds, at least one; empty only where it is absent and not required.</summary>
    internal IReadOnlyList<int> NumberList(string key, int least, int most, string example, bool required = true)
    {
        var numbers = new List<int>();
        var entry = Find(key);
        if (entry is null && !required)
            return [];
        if (entry?.Value is ArraySyntax array)
        {
            foreach (var item in array.Items)
            {
                if (item.Value is IntegerValueSyntax { Value: var number } && number >= least && number <= most && !numbers.Contains((int)number))
                    numbers.Add((int)number);
                else
                    Report(key, string.Create(CultureInfo.InvariantCulture, $"must hold whole numbers from {least} to {most}, each once, for example {key} = {example}"));
            }
        }
        if (numbers.Count == 0)
            Report(key, $"must hold at least one number, for example {key} = {example}");
        return numbers;
    }

    /// <summary>An address and port.</summary>
    internal IPEndPoint? EndPoint(string key, string example) =>
        Text(key, example) is { } text ? ParseEndPoint(key, text, defaultPort: null, example) : null;

    /// <summary>A list of addresses with ports.</summary>
    internal IReadOnlyList<IPEndPoint> EndPointList(string key, int defaultPort, string example)
    {
        var endPoints = new List<IPEndPoint>();
        foreach (var text in TextList(key, example, required: true))
        {
            if (ParseEndPoint(key, text, defaultPort, example) is not { } endPoint)
                continue;
            if (endPoints.Contains(endPoint))
                Report(key, $"names {endPoint} twice");
            else
                endPoints.Add(endPoint);
        }
        return endPoints;
    }

    /// <summary>An address.</summary>
    internal IPAddress? Address(string key, string example)
    {
        if (Text(key, example) is not { } text)
            return null;
        if (AddressText.TryParse(text, out var address))
            return address;
        Report(key, $"'{text}' is no address; for example {key} = {example}");
        return null;
    }

    /// <summary>True or false; false where absent.</summary>
    internal bool Flag(string key)
    {
        if (Find(key) is not { } entry)
            return false;
        if (entry.Value is BooleanValueSyntax { Value: var flag })
            return flag;
        Report(key, "must be true or false");
        return false;
    }

    /// <summary>One of a few words.</summary>
    internal string Word(string key, string fallback, params ReadOnlySpan<string> words)
    {
        if (Find(key) is not { } entry)
            return fallback;
        if (entry.Value is StringValueSyntax { Value: { } text } && words.Contains(text))
            return text;
        Report(key, $"must be one of \"{string.Join("\", \"", words!)}\"");
        return fallback;
    }

    /// <summary>A prefix.</summary>
    internal CookiePrefix? Prefix(string key)
    {
        const string example = "\"2001:db8:25::/48\"";
        if (Text(key, example, required: true) is not { } text)
            return null;
        if (CookiePrefix.TryParse(text, out var prefix, out var error))
            return prefix;
        Report(key, error);
        return null;
    }

    /// <summary>Seconds in words, as a user would write them.</summary>
    internal static string FormatDuration(long seconds)
    {
        var (number, unit) = seconds switch
        {
            > 2 * 86400 when seconds % 86400 == 0 => (seconds / 86400, 'd'),
            > 0 when seconds % 3600 == 0 => (seconds / 3600, 'h'),
            >= 600 when seconds % 60 == 0 => (seconds / 60, 'm'),
            _ => (seconds, 's'),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{number}{unit}");
    }

    private static long ParseDuration(string text)
    {
        var unit = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86400, _ => 0 };
        return unit != 0 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (long)number * unit
            : -1;
    }

    private IPEndPoint? ParseEndPoint(string key, string text, int? defaultPort, string example)
    {
        if (AddressText.TryParseEndPoint(text, out var endPoint))
        {
            if (endPoint.Port == 0 && defaultPort is { } port)
                endPoint.Port = port;
            if (endPoint.Port != 0)
                return endPoint;
        }
        Report(key, $"'{text}' is no address with a port; for example {key} = {example}");
        return null;
    }

    private Entry? Find(string key)
    {
        _known.Add(key);
        if (!_entries.TryGetValue(key, out var entry))
            return null;
        entry.Known = true;
        return entry;
    }

    private void Add(KeyValueSyntax pair)
    {
        if (pair.Key is null || pair.Value is null)
            return;
        var section = this;
        var names = Names(pair.Key);
        foreach (var name in names[..^1])
            section = section.Descend(name, pair);
        if (pair.Value is InlineTableSyntax inline)
        {
            var table = section.Descend(names[^1], pair);
            foreach (var item in inline.Items)
            {
                if (item.KeyValue is { } inner)
                    table.Add(inner);
            }
        }
        else
        {
            section._entries[names[^1]] = new Entry(pair) { Value = pair.Value };
        }
    }

    private void Add(TableSyntaxBase table)
    {
        if (table.Name is null)
            return;
        var section = this;
        var names = Names(table.Name);
        foreach (var name in names[..^1])
            section = section.Descend(name, table);
        if (table is TableArraySyntax)
        {
            if (!section._entries.TryGetValue(names[^1], out var entry))
                section._entries[names[^1]] = entry = new Entry(table) { IsArray = true, Sections = [] };
            var path = section._path.Length == 0 ? names[^1] : $"{section._path}.{names[^1]}";
            entry.Sections?.Add(new TomlSection(_document, path, table));
            section = entry.Sections?[^1] ?? section;
        }
        else
        {
            section = section.Descend(names[^1], table);
        }
        foreach (var pair in table.Items)
            section.Add(pair);
    }

    /// <summary>The table below this one, made where there is none; of an array of tables, the last.</summary>
    private TomlSection Descend(string name, SyntaxNode place)
    {
        if (!_entries.TryGetValue(name, out var entry) || entry.Sections is null)
        {
            var path = _path.Length == 0 ? name : $"{_path}.{name}";
            _entries[name] = entry = new Entry(place) { Sections = [new TomlSection(_document, path, place)] };
        }
        return entry.Sections![^1];
    }

    private static List<string> Names(KeySyntax key)
    {
        var names = new List<string> { Name(key.Key) };
        foreach (var dotted in key.DotKeys)
            names.Add(Name(dotted.Key));
        return names;
    }

    private static string Name(BareKeyOrStringValueSyntax? key) => key switch
    {
        BareKeySyntax bare => bare.Key?.Text ?? "",
        StringValueSyntax text => text.Value ?? "",
        _ => "",
    };

    private sealed record Document(string File, string Folder, List<SettingsError> Errors);

    private sealed class Entry(SyntaxNode place)
    {
        public SyntaxNode Place { get; } = place;

        public ValueSyntax? Value { get; init; }

        public List<TomlSection>? Sections { get; init; }

        public bool IsArray { get; init; }

        public bool Known { get; set; }
    }
}
