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

    /// <summary>Measures rows.</summary>
    /// <param name="rows">Their names.</param>
    /// <param name="passes">Passes of each.</param>
    /// <param name="slower">Percent by which the form is made slower.</param>
    /// <param name="wasteful">Whether every pass allocates something.</param>
    /// <param name="folder">Where BenchmarkDotNet writes its log.</param>
    /// <exception cref="InvalidOperationException">A row could not be measured; the log says why.</exception>
    internal static IReadOnlyList<BenchRow> Measure(IReadOnlyList<string> rows, int passes, int slower, bool wasteful, string folder)
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
        var summary = BenchmarkRunner.Run<CookieBenchmark>(config);
        var reports = summary.Reports.ToDictionary(report => (string)report.BenchmarkCase.Parameters[nameof(CookieBenchmark.Row)]);
        return [.. rows.Select(row => reports.TryGetValue(row, out var report)
            ? RowOf(row, report)
            : throw new InvalidOperationException($"{row} was not measured: {string.Join("; ", summary.ValidationErrors.Select(error => error.Message))}"))];
    }

    private static BenchRow RowOf(string row, BenchmarkReport report)
    {
        // Every invocation is measured, in the order of the notes: the first one, those that warm up, and those that count.
        var measured = report.AllMeasurements.Where(measurement => measurement.IterationMode == IterationMode.Workload && measurement.IterationStage != IterationStage.Result).ToList();
        var (limits, allocated) = _notes[row];
        if (measured.Count != limits.Count || measured.Count <= WarmUp + 1)
            throw new InvalidOperationException($"{row}: {limits.Count} passes ran and {measured.Count} were measured");
        var counted = Enumerable.Range(0, measured.Count).Where(i => measured[i].IterationStage == IterationStage.Actual).ToList();
        return BenchRow.From(row, [.. counted.Select(i => measured[i].GetAverageTime().Nanoseconds)], [.. counted.Select(i => limits[i])], counted.Select(i => allocated[i]));
    }
}
