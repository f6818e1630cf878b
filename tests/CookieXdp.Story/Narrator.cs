using System.Diagnostics;
using System.Globalization;

namespace CookieXdp.Story;

/// <summary>The voice: plain lines, each with the seconds since the beginning, under numbered scenes.</summary>
public sealed class Narrator(TextWriter voice)
{
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private int _scenes;

    /// <summary>Time since the beginning.</summary>
    public TimeSpan Elapsed => _watch.Elapsed;

    /// <summary>The first line.</summary>
    public void Title(string title) => voice.WriteLine(title);

    /// <summary>A scene begins.</summary>
    public void Scene(string title)
    {
        _scenes++;
        voice.WriteLine();
        voice.WriteLine($"{_scenes}. {title}");
    }

    /// <summary>Something happened.</summary>
    public void Tell(string line) =>
        voice.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{_watch.Elapsed.TotalSeconds,7:0.0} s  {line}"));

    /// <summary>What belongs to the line before.</summary>
    public void Add(string line) => voice.WriteLine("           " + line);

    /// <summary>Words outside of any scene.</summary>
    public void Say(string words)
    {
        voice.WriteLine();
        voice.WriteLine(words);
    }

    /// <summary>The story is not true.</summary>
    public void Fail(string message)
    {
        voice.WriteLine();
        voice.WriteLine(_scenes == 0 ? "The stage could not be raised." : $"Scene {_scenes} did not happen as told.");
        voice.WriteLine("    " + message);
    }
}
