using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Engines;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Bench;

/// <summary>One run of BenchmarkDotNet over some rows, in this process: its code was compiled ahead of time, as the programs are.</summary>
internal static class BenchRun
{
    /// <summary>Cookies' worth of AES instructions that each measurement of the limit takes, for each number of chains.</summary>
    internal const int CookiesPerLimit = 1 << 15;

    private const int WarmUp = 3;

    private static readonly Dictionary<string, (List<double[]> Limits, List<long> Allocated)> _notes = [];
    private static int _slower;

    /// <summary>The rows of this run.</summary>
    internal static IReadOnlyList<string> Rows { get; private set; } = [];

    /// <summary>Whether every pass shall allocate something.</summary>
    internal static bool Wasteful { get; private set; }

    /// <summary>The form that a row is measured with.</summary>
    /// <exception cref="PlatformNotSupportedException">This processor cannot do it.</exception>
    internal static Ff1Form FormOf(string row)
    {
        var form = CookieRow.FormOf(row) ?? throw new PlatformNotSupportedException($"{row}: this processor can do {string.Join(", ", Ff1Forms.All.Select(one => one.Name))}");
        return _slower == 0 ? form : new SlowedForm(form, _slower);
    }

    /// <summary>Where a row's passes note the limit before them, and what they allocated.</summary>
    internal static (List<double[]> Limits, List<long> Allocated) NotesOf(string row) => _notes[row] = ([], []);

    /// <summary>Measures rows, in rounds over all of them: a busy neighbour who comes and goes meets every row in some rounds only.</summary>
    /// <param name="rows">Their names.</param>
    /// <param name="passes">Passes of each, in a round.</param>
    /// <param name="rounds">Rounds.</param>
    /// <param name="slower">Percent by which the form is made slower.</param>
    /// <param name="wasteful">Whether every pass allocates something.</param>
    /// <param name="folder">Where BenchmarkDotNet may write.</param>
    /// <exception cref="InvalidOperationException">A row could not be measured.</exception>
    internal static IReadOnlyList<BenchRow> Measure(IReadOnlyList<string> rows, int passes, int rounds, int slower, bool wasteful, string folder)
    {
        Rows = rows;
        _slower = slower;
        Wasteful = wasteful;
        var job = Job.Default
            .WithToolchain(InProcessNoEmitToolchain.Instance)
            .WithWarmupCount(WarmUp)
            .WithIterationCount(passes)
            .WithInvocationCount(1)
            .WithUnrollFactor(1)
            .WithEvaluateOverhead(false)
            .WithOutlierMode(Perfolizer.Mathematics.OutlierDetection.OutlierMode.DontRemove);
        var config = ManualConfig.CreateEmpty()
            .AddJob(job)
            .AddLogger(NullLogger.Instance)
            .AddColumnProvider(DefaultColumnProviders.Instance)
            .WithArtifactsPath(folder)
            .WithOptions(ConfigOptions.DisableOptimizationsValidator | ConfigOptions.DisableLogFile);
        var passesOf = rows.ToDictionary(row => row, _ => new List<Pass>());
        for (var round = 0; round < rounds; round++)
        {
            var summary = BenchmarkRunner.Run<CookieBenchmark>(config);
            var reports = summary.Reports.ToDictionary(report => (string)report.BenchmarkCase.Parameters[nameof(CookieBenchmark.Row)]);
            foreach (var row in rows)
            {
                passesOf[row].AddRange(reports.TryGetValue(row, out var report)
                    ? PassesOf(row, report)
                    : throw new InvalidOperationException($"{row} was not measured: {string.Join("; ", summary.ValidationErrors.Select(error => error.Message))}"));
            }
        }
        return [.. rows.Select(row => BenchRow.From(row, [.. passesOf[row].Select(pass => pass.Value)], [.. passesOf[row].Select(pass => pass.Limits)], passesOf[row].Select(pass => pass.Allocated)))];
    }

    private static IEnumerable<Pass> PassesOf(string row, BenchmarkReport report)
    {
        // Every invocation is measured, in the order of the notes: the first one, those that warm up, and those that count.
        var measured = report.AllMeasurements.Where(measurement => measurement.IterationMode == IterationMode.Workload && measurement.IterationStage != IterationStage.Result).ToList();
        var (limits, allocated) = _notes[row];
        if (measured.Count != limits.Count || measured.Count <= WarmUp + 1)
            throw new InvalidOperationException($"{row}: {limits.Count} passes ran and {measured.Count} were measured");
        return [.. Enumerable.Range(0, measured.Count)
            .Where(i => measured[i].IterationStage == IterationStage.Actual)
            .Select(i => new Pass(measured[i].GetAverageTime().Nanoseconds, limits[i], allocated[i]))];
    }

    private sealed record Pass(double Value, double[] Limits, long Allocated);
}
