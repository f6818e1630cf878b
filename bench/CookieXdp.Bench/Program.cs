using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using CookieXdp.Bench;
using CookieXdp.Cookies.Forms;

var passes = new Option<int>("--passes") { Description = "passes of each row in a round", DefaultValueFactory = _ => 15 };
var rounds = new Option<int>("--rounds") { Description = "rounds over all rows", DefaultValueFactory = _ => 6 };
var names = new Option<string[]>("--rows") { Description = "only these rows", AllowMultipleArgumentsPerToken = true };
var slower = new Option<int>("--slower") { Description = "make the form slower by so many percent, to see the gate fail" };
var wasteful = new Option<bool>("--wasteful") { Description = "allocate something in every pass, for the same" };
var output = new Option<string?>("--json") { Description = "where to write the rows, with every sample" };
var floors = new Option<string?>("--floors") { Description = "fail where a row allocates, or has a ratio under the floor that this file gives it" };
var root = new RootCommand("Measures how fast cookies are opened and minted, beside what the processor's AES units can do.") { passes, rounds, names, slower, wasteful, output, floors };
passes.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 1 or > 10_000)
        result.AddError("--passes: a number from 1 to 10000");
});
rounds.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 1 or > 1000)
        result.AddError("--rounds: a number from 1 to 1000");
});
slower.Validators.Add(result =>
{
    if (result.GetValueOrDefault<int>() is < 0 or > 1000)
        result.AddError("--slower: a number of percent from 0 to 1000");
});
root.SetAction(parsed =>
{
    try
    {
        return Run(parsed);
    }
    catch (Exception e) when (e is IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException or PlatformNotSupportedException)
    {
        return Fail(2, e.Message);
    }
});
return root.Parse(args).Invoke();

int Run(ParseResult parsed)
{
    var wanted = parsed.GetValue(names) is { Length: > 0 } some ? some.Distinct().ToArray() : [.. CookieRow.Names.Where(name => CookieRow.FormOf(name) is not null)];
    if (wanted.Except(CookieRow.Names).FirstOrDefault() is { } unknown)
        return Fail(2, $"there is no row {unknown}: {string.Join(", ", CookieRow.Names)}");
    Console.WriteLine($"forms: {string.Join(", ", Ff1Forms.All.Select(form => form.Name))}; the programs use {Ff1Forms.Chosen.Name}");
    if (wanted.Length == 0)
        return Fail(2, "this processor has no AES instructions: there is no row to measure");
    var left = CookieRow.Names.Where(name => CookieRow.FormOf(name) is null).ToList();
    if (wanted.Intersect(left).FirstOrDefault() is { } missing)
        return Fail(2, $"{missing}: this processor cannot do that form");
    if (left.Count > 0)
        Console.WriteLine($"not measured, for this processor cannot do their form: {string.Join(", ", left)}");
    var file = parsed.GetValue(floors);
    var floor = file is null ? null : Floors.Read(file);
    if (floor?.Keys.Except(CookieRow.Names).FirstOrDefault() is { } stray)
        return Fail(2, $"{file}: there is no row {stray}");
    // Before the measurement, so that a wrong path costs no minutes.
    using var json = parsed.GetValue(output) is { } path ? File.Create(path) : null;

    IReadOnlyList<BenchRow> Measure(IReadOnlyList<string> rows) =>
        BenchRun.Measure(rows, parsed.GetValue(passes), parsed.GetValue(rounds), parsed.GetValue(slower), parsed.GetValue(wasteful), Path.Combine(Path.GetTempPath(), "bench"));

    var rows = Measure(wanted);
    Print(rows);
    if (json is not null)
        JsonSerializer.Serialize(json, rows, BenchJson.Default.IReadOnlyListBenchRow);
    return floor is null ? 0 : Gate(rows, floor, Measure);
}

static int Gate(IReadOnlyList<BenchRow> rows, Dictionary<string, double> floors, Func<IReadOnlyList<string>, IReadOnlyList<BenchRow>> measure)
{
    const int again = 12;
    var failures = Floors.Check(rows, floors).ToList();
    // Somebody else's work on the machine slows a row down for a while, worse code for good: what is too slow is measured again. What allocates is not.
    for (var time = 0; time < again && failures.Count > 0 && rows.All(row => row.Allocated == 0 && floors.ContainsKey(row.Name)); time++)
    {
        Console.WriteLine(string.Join('\n', failures.Prepend("measured again:")));
        Thread.Sleep(TimeSpan.FromSeconds(2));
        rows = measure([.. rows.Where(row => Floors.Check([row], floors).Any()).Select(row => row.Name)]);
        failures = [.. Floors.Check(rows, floors)];
    }
    return failures.Count == 0 ? 0 : Fail(1, string.Join('\n', failures));
}

static void Print(IReadOnlyList<BenchRow> rows)
{
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"limit: 100 AES instructions a cookie, best of {string.Join(", ", AesLimit.Chains)} chains"));
    Console.WriteLine($"{"row",-22} {"ns/cookie",9} {"limit",7} {"ratio",6} {"middle half",15} {"allocated",10}");
    foreach (var row in rows)
    {
        var sorted = row.Samples.Select(sample => sample.Value).Order().ToArray();
        var half = string.Create(CultureInfo.InvariantCulture, $"{sorted[sorted.Length / 4]:F2}–{sorted[sorted.Length * 3 / 4]:F2}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row.Name,-22} {row.Value,9:F2} {row.Limit,7:F2} {row.Ratio,6:F3} {half,15} {row.Allocated,10}"));
    }
}

static int Fail(int code, string what)
{
    Console.Error.WriteLine(what);
    return code;
}
