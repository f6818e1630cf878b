using System.Net;

namespace CookieXdp.Lab;

/// <summary>The programs under test in the edge's namespace: keeper, DNS server and engine, with configuration, zone, lists and master secret.</summary>
public sealed class Edge : IAsyncDisposable
{
    /// <summary>The id of the one service, SMTP.</summary>
    public const int SmtpService = 1;

    /// <summary>The minting zone, and the name in it that has the template.</summary>
    public const string ZoneName = "mx.example.com";

    private readonly LabFolder _folder;
    private readonly Namespace _where;
    private readonly string _stateFolder;
    private readonly string _bpfFolder;

    private Edge(LabFolder folder, Namespace where)
    {
        _folder = folder;
        _where = where;
        _stateFolder = "/run/cookiexdp-" + folder.Id;
        _bpfFolder = Path.Combine(LabSurroundings.BpfFileSystem, folder.Id);
    }

    /// <summary>Where the engine serves /metrics, in the edge's namespace.</summary>
    public static IPEndPoint EngineMetricsAt { get; } = new(IPAddress.Loopback, 9125);

    /// <summary>Where the DNS server serves /metrics, in the edge's namespace.</summary>
    public static IPEndPoint DnsMetricsAt { get; } = new(IPAddress.Loopback, 9126);

    /// <summary>The configuration file that all programs share.</summary>
    public string ConfigurationFile => _folder.In("edge", "cookiexdp.toml");

    /// <summary>The master secret's file: the bytes 0 to 31, as in the format's known answers.</summary>
    public string MasterFile => _folder.In("edge", "master");

    /// <summary>The list of banned resolvers.</summary>
    public string BannedResolversFile => _folder.In("edge", "banned-resolvers.txt");

    /// <summary>The list of banned clients.</summary>
    public string BannedClientsFile => _folder.In("edge", "banned-clients.txt");

    /// <summary>The zone's file.</summary>
    public string ZoneFile => _folder.In("edge", ZoneName + ".zone");

    /// <summary>The keyring that the keeper publishes.</summary>
    public string KeyringFile => Path.Combine(_stateFolder, "keyring");

    /// <summary>The file of the engine's flows, where it lies if nobody names another place.</summary>
    public string FlowFile => $"/dev/shm/cookiexdp{_stateFolder.Replace('/', '-')}.flows";

    /// <summary>The running keeper.</summary>
    public LabProcess Keeper { get; private set; } = null!;

    /// <summary>The running DNS server.</summary>
    public LabProcess Dns { get; private set; } = null!;

    /// <summary>The running engine; after a stop, the one that has ended.</summary>
    public LabProcess Engine { get; private set; } = null!;

    /// <summary>Writes the files and starts the programs, each when the one before is ready.</summary>
    /// <exception cref="LabException">One of them did not come up.</exception>
    public static async Task<Edge> StartAsync(LabFolder folder, Topology topology, EdgeSettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(topology);
        var edge = new Edge(folder, topology.Edge);
        try
        {
            await edge.WriteFilesAsync(settings ?? new());
            await edge.StartKeeperAsync();
            await edge.StartDnsAsync();
            await edge.StartEngineAsync();
            return edge;
        }
        catch
        {
            await edge.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the keeper, and returns once it is ready.</summary>
    public async Task StartKeeperAsync() => Keeper = await StartAsync("keeper", Programs.Engine, "keys", "serve");

    /// <summary>Starts the DNS server, and returns once it is ready.</summary>
    public async Task StartDnsAsync() => Dns = await StartAsync("dns", Programs.Dns, "run");

    /// <summary>Starts the engine, and returns once it is ready.</summary>
    public async Task StartEngineAsync() => Engine = await StartAsync("engine", Programs.Engine, "run");

    /// <summary>What the engine's /metrics say now.</summary>
    public Task<Metrics> EngineMetricsAsync() => Metrics.FetchAsync(_where, EngineMetricsAt);

    /// <summary>What the DNS server's /metrics say now.</summary>
    public Task<Metrics> DnsMetricsAsync() => Metrics.FetchAsync(_where, DnsMetricsAt);

    /// <summary>The engine's verdicts so far with that reason.</summary>
    public async Task<double> VerdictsAsync(string reason) => (await EngineMetricsAsync()).Sum(MetricNames.Verdicts, (MetricNames.Reason, reason));

    /// <summary>The engine's accepted connections so far.</summary>
    public async Task<double> AcceptsAsync() => (await EngineMetricsAsync()).Sum(MetricNames.Verdicts, (MetricNames.Verdict, MetricNames.Accept));

    /// <summary>An address minted for a resolver by the command, not by the DNS server.</summary>
    public Task<IPAddress> MintAsync(IPAddress resolver, DateTimeOffset? at = null, bool verified = false) =>
        Programs.MintAsync(MasterFile, resolver, SmtpService, at, verified);

    /// <summary>What an address's cookie says; null where it is false.</summary>
    public Task<OpenedCookie?> OpenAsync(IPAddress address) => Programs.OpenAsync(MasterFile, address);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var process in new[] { Engine, Dns, Keeper })
            if (process is not null)
                await process.DisposeAsync();

        // Attachment and flows outlive the engine by design; here they end with their pins and file.
        File.Delete(FlowFile);
        foreach (var leftover in new[] { _bpfFolder, _stateFolder })
            if (Directory.Exists(leftover))
                Directory.Delete(leftover, recursive: true);
    }

    private async Task WriteFilesAsync(EdgeSettings settings)
    {
        _folder.MakeFolder("edge");
        Directory.CreateDirectory(_stateFolder);
        Directory.CreateDirectory(_bpfFolder);
        await File.WriteAllBytesAsync(MasterFile, [.. Enumerable.Range(0, 32).Select(value => (byte)value)]);
        File.SetUnixFileMode(MasterFile, UnixFileMode.UserRead);
        await File.WriteAllTextAsync(ConfigurationFile, settings.Configuration(KeyringFile, _bpfFolder));
        await File.WriteAllTextAsync(ZoneFile, settings.Zone());
        await File.WriteAllTextAsync(BannedResolversFile, EdgeSettings.List(settings.BannedResolvers));
        await File.WriteAllTextAsync(BannedClientsFile, EdgeSettings.List(settings.BannedClients));
    }

    private async Task<LabProcess> StartAsync(string name, string program, params string[] words)
    {
        var process = LabProcess.Start(_folder, name, new(program, [.. words, "--config", ConfigurationFile]) { In = _where });
        try
        {
            await process.WaitForLineAsync("ready", TimeSpan.FromSeconds(15));
            return process;
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }
}
