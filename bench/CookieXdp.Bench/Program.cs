using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using CookieXdp.Bench;
using CookieXdp.Cookies.Forms;

var passes = new Option<int>("--passes") { Description = "passes of each row", DefaultValueFactory = _ => 60 };
var names = new Option<string[]>("--rows") { Description = "only these rows", AllowMultipleArgumentsPerToken = true };
var slower = new Option<int>("--slower") { Description = "make the form slower by so many percent, to see the gate fail" };
var wasteful = new Option<bool>("--wasteful") { Description = "allocate something in every pass, for the same" };
var output = new Option<string?>("--json") { Description = "where to write the rows, with every sample" };
var floors = new Option<string?>("--floors") { Description = "fail where a row allocates, or has a ratio under the floor that this file gives it" };
var root = new RootCommand("Measures how fast cookies are opened and minted, beside what the processor's AES units can do.") { passes, names, slower, wasteful, output, floors };
root.SetAction(parsed =>
{
    var wanted = parsed.GetValue(names) is { Length: > 0 } some ? some : [.. CookieRow.Names.Where(name => CookieRow.FormOf(name) is not null)];
    if (wanted.Except(CookieRow.Names).FirstOrDefault() is { } unknown)
        return Fail(2, $"there is no row {unknown}: {string.Join(", ", CookieRow.Names)}");
    try
    {
        var floor = parsed.GetValue(floors) is { } file ? Floors.Read(file) : null;
        if (floor?.Keys.Except(CookieRow.Names).FirstOrDefault() is { } stray)
            return Fail(2, $"{parsed.GetValue(floors)}: there is no row {stray}");
        Console.WriteLine($"forms: {string.Join(", ", Ff1Forms.All.Select(form => form.Name))}; the programs use {Ff1Forms.Chosen.Name}");
        var rows = BenchRun.Measure(wanted, parsed.GetValue(passes), parsed.GetValue(slower), parsed.GetValue(wasteful), Path.Combine(Path.GetTempPath(), "bench"));
        Print(rows);
        if (parsed.GetValue(output) is { } path)
            File.WriteAllText(path, JsonSerializer.Serialize(rows, BenchJson.Default.IReadOnlyListBenchRow));
        if (floor is null)
            return 0;
        // Somebody else's work on the machine slows a row down for a while, worse code for good: what fails is measured again.
        var failures = Floors.Check(rows, floor).ToList();
        for (var again = 0; again < 3 && failures.Count > 0; again++)
        {
            Console.WriteLine(string.Join('\n', failures.Prepend("measured again, for:")));
            var failed = rows.Where(row => Floors.Check([row], floor).Any()).Select(row => row.Name).ToList();
            rows = BenchRun.Measure(failed, parsed.GetValue(passes), parsed.GetValue(slower), parsed.GetValue(wasteful), Path.Combine(Path.GetTempPath(), "bench"));
            failures = [.. Floors.Check(rows, floor)];
        }
        return failures.Count == 0 ? 0 : Fail(1, string.Join('\n', failures));
    }
    catch (Exception e) when (e is IOException or InvalidDataException or InvalidOperationException or UnauthorizedAccessException or PlatformNotSupportedException)
    {
        return Fail(2, e.Message);
    }
});
return root.Parse(args).Invoke();

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
