using System.Globalization;
using System.Text.Json;

namespace CookieXdp.Bench;

/// <summary>The ratio that each row must reach: bench/floors.json, a number by the row's name.</summary>
internal static class Floors
{
    /// <summary>Reads them.</summary>
    /// <exception cref="InvalidDataException">The file is no object of numbers.</exception>
    internal static Dictionary<string, double> Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(path), BenchJson.Default.DictionaryStringDouble) ?? throw new InvalidDataException($"{path}: an object was expected, not null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}, line {e.LineNumber + 1}: a number by each row's name was expected: {e.Message}", e);
        }
    }

    /// <summary>What is wrong with rows, in words, each by name; empty where all is well.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="floors">The floors of at least these rows.</param>
    internal static IEnumerable<string> Check(IEnumerable<BenchRow> rows, Dictionary<string, double> floors)
    {
        foreach (var row in rows)
        {
            if (row.Allocated != 0)
                yield return string.Create(CultureInfo.InvariantCulture, $"{row.Name}: {row.Allocated} bytes allocated, none are allowed");
            if (!floors.TryGetValue(row.Name, out var floor))
                yield return $"{row.Name}: has no floor";
            else if (!(row.Ratio >= floor))
                yield return string.Create(CultureInfo.InvariantCulture, $"{row.Name}: ratio {row.Ratio:F3} is under its floor {floor:F3}");
        }
    }
}
