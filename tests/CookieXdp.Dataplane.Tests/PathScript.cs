using System.Globalization;

namespace CookieXdp.Dataplane.Tests;

/// <summary>A case out of Packets/*.txt: its name, and its lines, which <see cref="PathScriptTests"/> plays one after the other.</summary>
internal sealed record PathScript(string File, string Name, IReadOnlyList<(int Line, string Text)> Lines)
{
    /// <summary>All cases of all files.</summary>
    public static IReadOnlyList<PathScript> LoadAll()
    {
        var scripts = new List<PathScript>();
        foreach (var path in Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Packets"), "*.txt").Order(StringComparer.Ordinal))
        {
            if (Path.GetFileName(path) == "README.txt")
                continue;
            List<(int, string)>? lines = null;
            var number = 0;
            foreach (var line in System.IO.File.ReadLines(path))
            {
                number++;
                var text = line.Trim();
                if (text.Length == 0 || text[0] == '#')
                    continue;
                if (text.StartsWith("case ", StringComparison.Ordinal))
                {
                    lines = [];
                    scripts.Add(new(Path.GetFileNameWithoutExtension(path), text[5..], lines));
                    continue;
                }
                (lines ?? throw new FormatException($"{path}:{number}: no case has begun")).Add((number, text));
            }
        }
        return scripts;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{File}: {Name}");
}
