using System.Globalization;

namespace CookieXdp.Hosting;

/// <summary>One thing that is wrong with the configuration: where, and what would be right.</summary>
/// <param name="File">The file's path as it was given.</param>
/// <param name="Line">The line, from 1; 0 where the whole file is meant.</param>
/// <param name="Column">The column, from 1; 0 where the whole file is meant.</param>
/// <param name="Key">The key with its table, such as <c>edge.uplink.interface</c>; empty where none is meant.</param>
/// <param name="Message">What is wrong and what would be right.</param>
public sealed record SettingsError(string File, int Line, int Column, string Key, string Message)
{
    /// <summary>In the form <c>file:line:column: key: message</c>.</summary>
    public override string ToString()
    {
        var place = Line == 0 ? File : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}:{Column}");
        return Key.Length == 0 ? $"{place}: {Message}" : $"{place}: {Key}: {Message}";
    }
}

/// <summary>The configuration has mistakes; all of them, in the order of their lines.</summary>
public sealed class SettingsException : Exception
{
    /// <summary>With every mistake found.</summary>
    public SettingsException(IReadOnlyList<SettingsError> errors)
        : base(string.Join(Environment.NewLine, errors)) => Errors = errors;

    /// <summary>The mistakes.</summary>
    public IReadOnlyList<SettingsError> Errors { get; }
}
