namespace CookieXdp.Lab;

/// <summary>
/// A packet capture at one interface, for questions in tshark's display filter language. At the edge's own ends it would miss what an
/// AF_XDP socket takes and sends: capture at the far ends, <see cref="Topology.WireInterface"/> and <see cref="Topology.ServerInterface"/>.
/// </summary>
public sealed class Capture : IAsyncDisposable
{
    private readonly LabProcess _process;

    private Capture(LabProcess process, string file)
    {
        _process = process;
        File = file;
    }

    /// <summary>The capture file (pcapng).</summary>
    public string File { get; }

    /// <summary>Starts one, and returns once it is capturing.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="where">The interface's namespace.</param>
    /// <param name="device">The interface.</param>
    /// <param name="name">The file's name without extension.</param>
    /// <param name="filter">A capture filter in pcap's language; null: everything.</param>
    /// <exception cref="LabException">It did not start.</exception>
    public static async Task<Capture> StartAsync(LabFolder folder, Namespace where, string device, string name, string? filter = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var file = folder.In(name + ".pcapng");
        List<string> arguments = ["-i", device, "-w", file, "-p", "-B", "16"];
        if (filter is not null)
            arguments.AddRange(["-f", filter]);
        var dumpcap = LabProcess.Start(folder, name + "-dumpcap", new("dumpcap", arguments) { In = where });
        try
        {
            // Written after the socket is open and the file is made.
            await dumpcap.WaitForLineAsync("File: ");
            return new(dumpcap, file);
        }
        catch
        {
            await dumpcap.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the capture; all that had been on the wire before is then in the file.</summary>
    public async Task StopAsync()
    {
        // dumpcap reads in blocks and ends without the last one when told too soon.
        if (_process.IsRunning)
            await Task.Delay(300);
        await _process.StopAsync();
    }

    /// <summary>How many of the captured frames a display filter such as <c>tcp.flags.syn==1</c> picks; null: all.</summary>
    /// <exception cref="LabException">tshark does not take the filter or the file.</exception>
    public async Task<int> CountAsync(string? filter = null) => (await ReadAsync(filter, "frame.number")).Count;

    /// <summary>Fields of the captured frames that a display filter picks, a frame a line, tab between fields.</summary>
    /// <exception cref="LabException">tshark does not take the filter, the fields or the file.</exception>
    public async Task<IReadOnlyList<string>> ReadAsync(string? filter, params IReadOnlyList<string> fields)
    {
        await StopAsync();
        // tshark leaves TCP checksums unverified unless told.
        List<string> arguments = ["-n", "-o", "tcp.check_checksum:TRUE", "-r", File, "-T", "fields"];
        foreach (var field in fields)
            arguments.AddRange(["-e", field]);
        if (filter is not null)
            arguments.AddRange(["-Y", filter]);
        var result = (await new Command("tshark", arguments).RunAsync(TimeSpan.FromSeconds(60))).Demand();
        return result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
