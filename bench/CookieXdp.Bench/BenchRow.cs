using System.Text.Json.Serialization;

namespace CookieXdp.Bench;

/// <summary>What was measured of one row.</summary>
/// <param name="Name">The row's name.</param>
/// <param name="Value">Lowest decile of the passes, in <paramref name="Unit"/>: what disturbs a pass only ever adds to it.</param>
/// <param name="Unit">ns/cookie.</param>
/// <param name="Limit">What the AES units alone take, likewise, with that number of chains whose decile is the least; same unit.</param>
/// <param name="Ratio">Limit ÷ value.</param>
/// <param name="Allocated">Managed bytes that the passes allocated in all.</param>
/// <param name="Samples">Every pass, with the limit measured right before it.</param>
internal sealed record BenchRow(string Name, double Value, string Unit, double Limit, double Ratio, long Allocated, IReadOnlyList<BenchSample> Samples)
{
    /// <summary>From what a run noted.</summary>
    /// <param name="name">The row's name.</param>
    /// <param name="values">Nanoseconds a cookie, of each pass.</param>
    /// <param name="limits">The limit before each pass, for each of <see cref="AesLimit.Chains"/>.</param>
    /// <param name="allocated">Bytes that each pass allocated.</param>
    internal static BenchRow From(string name, IReadOnlyList<double> values, IReadOnlyList<double[]> limits, IEnumerable<long> allocated)
    {
        var chains = Enumerable.Range(0, AesLimit.Chains.Length).MinBy(chains => Decile(limits.Select(limit => limit[chains])));
        var value = Decile(values);
        var limit = Decile(limits.Select(limit => limit[chains]));
        return new(name, value, "ns/cookie", limit, limit / value, allocated.Sum(), [.. values.Zip(limits, (value, limit) => new BenchSample(value, limit[chains]))]);
    }

    /// <summary>The number that a tenth of them does not exceed.</summary>
    internal static double Decile(IEnumerable<double> numbers)
    {
        var sorted = numbers.Order().ToArray();
        return sorted[(sorted.Length - 1) / 10];
    }
}

/// <summary>One pass.</summary>
/// <param name="Value">What it took.</param>
/// <param name="Limit">What the AES units took right before it.</param>
internal sealed record BenchSample(double Value, double Limit);

/// <summary>How rows and floors are written and read without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = false, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(IReadOnlyList<BenchRow>))]
[JsonSerializable(typeof(Dictionary<string, double>))]
internal sealed partial class BenchJson : JsonSerializerContext;
