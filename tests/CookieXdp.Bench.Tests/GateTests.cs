using System.Text.Json;
using CookieXdp.Lab;

namespace CookieXdp.BenchTests;

/// <summary>The gate over the microbenchmarks, as <c>make bench-gate</c> runs it: what it measures is one thing, that it fails when it should another.</summary>
public sealed class GateTests
{
    private static string Floors => Path.Combine(LabSurroundings.Repository, "bench", "floors.json");

    [Fact]
    public async Task A_form_made_slower_fails_by_the_rows_name()
    {
        var result = await BenchAsync("--rows", "open_b64", "mint_b64", "--passes", "15", "--rounds", "1", "--slower", "100", "--floors", Floors);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("open_b64: ratio", result.Error, StringComparison.Ordinal);
        Assert.Contains("mint_b64: ratio", result.Error, StringComparison.Ordinal);
        Assert.Contains("is under its floor", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_row_that_allocates_fails_by_its_name()
    {
        using var folder = LabFolder.Create();
        var floors = Write(folder, """{"open_b64": 0}""");
        var result = await BenchAsync("--rows", "open_b64", "--passes", "5", "--rounds", "1", "--wasteful", "--floors", floors);
        Assert.Equal(1, result.ExitCode);
        Assert.Matches("^open_b64: [0-9]+ bytes allocated", result.Error);
    }

    [Theory]
    [InlineData("""{"mint_b64": 0}""", 1, "open_b64: has no floor")]
    [InlineData("""{"open_b64": 0, "open_b65": 0}""", 2, "there is no row open_b65")]
    [InlineData("{\n\"open_b64\": \"half\"}", 2, "line 2")]
    [InlineData("null", 2, "an object was expected")]
    public async Task Floors_that_do_not_fit_the_rows_are_refused(string floors, int code, string said)
    {
        using var folder = LabFolder.Create();
        var result = await BenchAsync("--rows", "open_b64", "--passes", "5", "--rounds", "1", "--floors", Write(folder, floors));
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(said, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "there is no row open_b65", "--rows", "open_b65")]
    [InlineData(1, "--passes: a number from 1", "--passes", "0")]
    [InlineData(1, "--rounds: a number from 1", "--rounds", "0")]
    [InlineData(1, "--slower: a number of percent", "--slower", "-50")]
    [InlineData(2, "/nonexistent/bench.json", "--json", "/nonexistent/bench.json")]
    [InlineData(2, "/nonexistent/floors.json", "--floors", "/nonexistent/floors.json")]
    public async Task A_command_line_that_cannot_be_is_refused(int code, string said, params string[] arguments)
    {
        var result = await BenchAsync(arguments);
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(said, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_form_that_is_not_there_is_named_with_those_that_are()
    {
        var result = await new Command(Programs.Bench, "--rows", "open_b1") { Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["COOKIEXDP_FF1_FORM"] = "quantum" } }
            .RunAsync(cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(2, result.ExitCode);
        Assert.Matches("^COOKIEXDP_FF1_FORM=quantum: this processor can do .*software", result.Error);
    }

    [Fact]
    public async Task Every_sample_is_written_and_gives_the_ratio_again()
    {
        using var folder = LabFolder.Create();
        var file = folder.In("bench.json");
        (await BenchAsync("--rows", "mint_b32_mixed", "--passes", "7", "--rounds", "3", "--json", file)).Demand();
        using var json = JsonDocument.Parse(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
        var row = Assert.Single(json.RootElement.EnumerateArray());
        Assert.Equal("mint_b32_mixed", row.GetProperty("name").GetString());
        Assert.Equal("ns/cookie", row.GetProperty("unit").GetString());
        Assert.Equal(0, row.GetProperty("allocated").GetInt64());
        var samples = row.GetProperty("samples").EnumerateArray().Select(sample => (Value: sample.GetProperty("value").GetDouble(), Limit: sample.GetProperty("limit").GetDouble())).ToList();
        Assert.Equal(21, samples.Count);
        Assert.Equal(samples.Select(sample => sample.Value).Order().ElementAt(2), row.GetProperty("value").GetDouble());
        Assert.Equal(samples.Select(sample => sample.Limit).Order().ElementAt(2), row.GetProperty("limit").GetDouble());
        Assert.Equal(row.GetProperty("limit").GetDouble() / row.GetProperty("value").GetDouble(), row.GetProperty("ratio").GetDouble());
    }

    private static string Write(LabFolder folder, string floors)
    {
        File.WriteAllText(folder.In("floors.json"), floors);
        return folder.In("floors.json");
    }

    private static Task<CommandResult> BenchAsync(params string[] arguments) => new Command(Programs.Bench, arguments).RunAsync(TimeSpan.FromSeconds(120), TestContext.Current.CancellationToken);
}
