using BenchmarkDotNet.Attributes;

namespace CookieXdp.Bench;

/// <summary>
/// The rows of <see cref="CookieRow"/>, each iteration one pass. Right before each pass the limit is measured, in the same process on the same
/// processor, so that what disturbs the machine disturbs both.
/// </summary>
public class CookieBenchmark
{
    private CookieRow? _pass;
    private List<double[]>? _limits;
    private double[] _limit = [];
    private List<long>? _allocated;

    /// <summary>The row's name.</summary>
    [ParamsSource(nameof(Rows))]
    public string Row { get; set; } = "";

    /// <summary>The rows to run.</summary>
    public static IEnumerable<string> Rows => BenchRun.Rows;

    /// <summary>Makes the row's cookies.</summary>
    [GlobalSetup]
    public void Prepare()
    {
        _pass = new CookieRow(Row, BenchRun.FormOf(Row));
        (_limits, _allocated) = BenchRun.NotesOf(Row);
    }

    /// <summary>Measures the limit.</summary>
    [IterationSetup]
    public void MeasureLimit() => _limit = AesLimit.Measure(BenchRun.CookiesPerLimit);

    /// <summary>One pass.</summary>
    [Benchmark(OperationsPerInvoke = CookieRow.PerPass)]
    public void Pass()
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        _pass!.Pass();
        if (BenchRun.Wasteful)
            _limit = [.. _limit];
        _allocated!.Add(GC.GetAllocatedBytesForCurrentThread() - before);
        _limits!.Add(_limit);
    }
}
