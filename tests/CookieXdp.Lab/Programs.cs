using System.Globalization;
using System.Net;
using System.Text.Json;

namespace CookieXdp.Lab;

/// <summary>The project's own programs, as built: <c>out/cookiexdp</c> and <c>out/cookiexdp-dns</c>, or those in the folder that LAB_PROGRAMS names.</summary>
public static class Programs
{
    private static string Folder =>
        Environment.GetEnvironmentVariable("LAB_PROGRAMS") is { Length: > 0 } folder ? folder : Path.Combine(LabSurroundings.Repository, "out");

    /// <summary>The engine's program, which has the commands too.</summary>
    /// <exception cref="LabException">It is not built.</exception>
    public static string Engine => Built("cookiexdp");

    /// <summary>The DNS server's program.</summary>
    /// <exception cref="LabException">It is not built.</exception>
    public static string Dns => Built("cookiexdp-dns");

    /// <summary>The microbenchmarks.</summary>
    /// <exception cref="LabException">They are not built.</exception>
    public static string Bench => Built("cookiexdp-bench");

    /// <summary>An address with a cookie of one's own choosing, by <c>cookiexdp mint</c>.</summary>
    /// <param name="masterFile">The master secret's file.</param>
    /// <param name="resolver">The resolver it shall name.</param>
    /// <param name="service">The service it is for, 0–15.</param>
    /// <param name="at">The time it is minted at; null: now.</param>
    /// <param name="verified">Whether the resolver's address was proven.</param>
    /// <exception cref="LabException">The program failed.</exception>
    public static async Task<IPAddress> MintAsync(string masterFile, IPAddress resolver, int service, DateTimeOffset? at = null, bool verified = false)
    {
        ArgumentNullException.ThrowIfNull(resolver);
        List<string> arguments =
        [
            "mint", "--master", masterFile, "--prefix", Topology.Prefix, "--resolver", resolver.ToString(),
            "--service", service.ToString(CultureInfo.InvariantCulture),
        ];
        if (at is { } time)
            arguments.AddRange(["--at", time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)]);
        if (verified)
            arguments.Add("--verified");
        var command = new Command(Engine, arguments);
        var output = (await command.RunAsync()).Demand().Output.Trim();
        return IPAddress.TryParse(output, out var address) ? address : throw new LabException($"`{command.Line}` printed '{output}', not an address");
    }

    /// <summary>What an address's cookie says, by <c>cookiexdp open --json</c>; null where it is false.</summary>
    /// <exception cref="LabException">The program failed, or printed something else than was agreed.</exception>
    public static async Task<OpenedCookie?> OpenAsync(string masterFile, IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        var result = await new Command(Engine, "open", address.ToString(), "--master", masterFile, "--prefix", Topology.Prefix, "--json").RunAsync();
        try
        {
            using var json = JsonDocument.Parse(result.Output);
            var root = json.RootElement;
            if (!root.GetProperty("genuine").GetBoolean())
                return result.ExitCode == 1 ? null : throw new LabException($"`{result.Line}` calls the cookie false but ended with code {result.ExitCode}, not 1");
            return new(
                root.GetProperty("resolver").GetString() ?? "",
                DateTimeOffset.FromUnixTimeSeconds(root.GetProperty("mintedAt").GetInt64()),
                root.GetProperty("service").GetInt32(),
                root.GetProperty("verified").GetBoolean(),
                root.GetProperty("ecs").GetBoolean());
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new LabException($"`{result.Line}` (code {result.ExitCode}) printed something unforeseen: {(result.Output + result.Error).Trim()}", error);
        }
    }

    private static string Built(string name)
    {
        var path = Path.Combine(Folder, name);
        return File.Exists(path) ? path : throw new LabException($"{path} is not built: run make first");
    }
}

/// <summary>What a genuine cookie says.</summary>
/// <param name="Resolver">The resolver network, as printed: IPv4 whole, IPv6 to /44.</param>
/// <param name="MintedAt">When it was minted.</param>
/// <param name="Service">The service asked for.</param>
/// <param name="Verified">Whether the resolver's address was proven.</param>
/// <param name="Ecs">Whether the network came from EDNS Client Subnet.</param>
public sealed record OpenedCookie(string Resolver, DateTimeOffset MintedAt, int Service, bool Verified, bool Ecs);
