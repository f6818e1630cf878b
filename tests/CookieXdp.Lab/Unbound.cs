using System.Net;
using System.Net.Sockets;

namespace CookieXdp.Lab;

/// <summary>
/// A real resolver on the lab's internet. It knows example.com and its MX by itself, asks the edge for mx.example.com, and denies
/// everything else at once: there is no root to ask, and nobody shall wait for one.
/// </summary>
public sealed class Unbound : IAsyncDisposable
{
    private readonly Topology _topology;

    private Unbound(Topology topology, IPAddress address, LabProcess process)
    {
        _topology = topology;
        Address = address;
        Process = process;
    }

    /// <summary>The address it answers at and asks from.</summary>
    public IPAddress Address { get; }

    /// <summary>The running program.</summary>
    public LabProcess Process { get; }

    /// <summary>Starts one.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="topology">Where it shall run.</param>
    /// <param name="address">An address of the internet's machine, to answer at and to ask from.</param>
    /// <exception cref="LabException">It did not come up.</exception>
    public static async Task<Unbound> StartAsync(LabFolder folder, Topology topology, IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(topology);
        ArgumentNullException.ThrowIfNull(address);
        var name = "unbound-" + address.ToString().Replace(':', '-');
        var home = folder.MakeFolder(name);
        var configuration = Path.Combine(home, "unbound.conf");
        await File.WriteAllTextAsync(configuration, Configuration(home, address));
        var process = LabProcess.Start(folder, name, new("unbound", "-d", "-p", "-c", configuration) { In = topology.Internet });
        try
        {
            await process.WaitForLineAsync("start of service");
            return new(topology, address, process);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>The answers' data that <c>dig +short</c> gets from it, one a line.</summary>
    /// <param name="name">The name asked for.</param>
    /// <param name="type">The type asked for, such as AAAA.</param>
    /// <exception cref="LabException">No answer came.</exception>
    public async Task<IReadOnlyList<string>> AskAsync(string name, string type) =>
        (await _topology.Internet.RunAsync("dig", "+short", "+tries=2", "+time=3", "@" + Address, name, type))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>The one AAAA of mx.example.com that it has or gets.</summary>
    /// <exception cref="LabException">No answer, or not one address.</exception>
    public async Task<IPAddress> AskForAddressAsync(string name = "mx.example.com")
    {
        var answers = await AskAsync(name, "AAAA");
        return answers.Count == 1 && IPAddress.TryParse(answers[0], out var address) && address.AddressFamily == AddressFamily.InterNetworkV6
            ? address
            : throw new LabException($"the resolver at {Address} was asked for the AAAA of {name}; expected one address, seen: {(answers.Count == 0 ? "none" : string.Join(", ", answers))}");
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Process.DisposeAsync();

    // A static zone for the root answers NXDOMAIN for all that nothing below it covers; the transparent one lets the stub through.
    private static string Configuration(string home, IPAddress address) =>
        $"""
        server:
          directory: "{home}"
          chroot: ""
          username: ""
          pidfile: ""
          use-syslog: no
          logfile: ""
          verbosity: 1
          num-threads: 1
          interface: {address}
          outgoing-interface: {address}
          access-control: 0.0.0.0/0 allow
          access-control: ::/0 allow
          module-config: "iterator"
          use-caps-for-id: yes
          do-not-query-localhost: no
          local-zone: "." static
          local-zone: "example.com." static
          local-data: "example.com. 300 IN MX 10 mx.example.com."
          local-data: "example.com. 300 IN SOA ns.example.net. hostmaster.example.com. 1 3600 600 86400 60"
          local-zone: "mx.example.com." transparent
        remote-control:
          control-enable: no
        stub-zone:
          name: "mx.example.com"
          stub-addr: {(address.AddressFamily == AddressFamily.InterNetwork ? Topology.EdgeAddress4 : Topology.EdgeAddress)}

        """;
}
