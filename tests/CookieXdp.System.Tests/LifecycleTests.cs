using System.Net;
using System.Net.Sockets;
using System.Text;
using CookieXdp.Lab;

namespace CookieXdp.SystemTests;

/// <summary>Stopping, restarting, hanging, and starting wrongly; on a stage of its own, since it stops things.</summary>
public sealed class LifecycleTests : IAsyncLifetime
{
    private Stage _stage = null!;

    public async ValueTask InitializeAsync() => _stage = await Stage.RaiseAsync();

    public async ValueTask DisposeAsync()
    {
        if (_stage is not null)
            await _stage.DisposeAsync();
    }

    [Fact]
    public async Task Everything_can_be_stopped_restarted_and_started_wrongly_and_says_what_it_does()
    {
        // One story, for a stage takes seconds to raise: each step begins where the one before ended.
        var address = await MintAsync();
        await AnswersAsync(address, ConnectOutcome.Established);

        await A_second_engine_or_keeper_is_refused_in_words();
        await The_keeper_may_die(address);
        await A_stopped_engine_answers_nothing_and_the_next_one_goes_on(address);
        await A_hung_engine_is_noticed(address);
        await A_killed_engine_answers_nothing_and_the_next_one_goes_on(address);
        await Connections_outlive_a_killed_engine_and_even_their_flow_table(address);
        await Detaching_gives_the_interfaces_back();
        await An_interface_that_has_gone_ends_the_engine_in_words();
    }

    private async Task A_second_engine_or_keeper_is_refused_in_words()
    {
        var keeper = await RunAsync("keys", "serve");
        Assert.Equal(1, keeper.ExitCode);
        Assert.Contains("another keeper", keeper.Error, StringComparison.Ordinal);
        var engine = await RunAsync("run");
        Assert.Equal(1, engine.ExitCode);
        Assert.Contains("another engine runs on uplink and inside", engine.Error, StringComparison.Ordinal);
        var detach = await RunAsync("detach");
        Assert.Equal(1, detach.ExitCode);
        Assert.Contains("stop it first", detach.Error, StringComparison.Ordinal);
        await AnswersAsync(await MintAsync(), ConnectOutcome.Established);
    }

    private async Task The_keeper_may_die(IPAddress address)
    {
        await _stage.Edge.Keeper.KillAsync();
        await AnswersAsync(address, ConnectOutcome.Established);
        Assert.Equal(IPAddress.Parse(Topology.Prefix.Split('/')[0]).GetAddressBytes()[..6], (await _stage.Resolver.AskForAddressAsync()).GetAddressBytes()[..6]);
        await _stage.Edge.StartKeeperAsync();
    }

    private async Task A_stopped_engine_answers_nothing_and_the_next_one_goes_on(IPAddress address)
    {
        Assert.Equal(0, await _stage.Edge.Engine.StopAsync());
        await AnswersAsync(address, ConnectOutcome.NoAnswer);
        await _stage.Edge.StartEngineAsync();
        await AnswersAsync(address, ConnectOutcome.Established);
    }

    private async Task A_hung_engine_is_noticed(IPAddress address)
    {
        (await new Command("kill", "-STOP", Engine).RunAsync()).Demand();
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(2.5));
            await AnswersAsync(address, ConnectOutcome.NoAnswer);
        }
        finally
        {
            (await new Command("kill", "-CONT", Engine).RunAsync()).Demand();
        }
        await StageFixture.UntilAsync(async () => await _stage.Topology.Internet.TryConnectAsync(new IPEndPoint(address, 25)) == ConnectOutcome.Established, "the engine answers again");
        Assert.True((await _stage.Edge.EngineMetricsAsync()).Sum(MetricNames.XdpFrames, (MetricNames.Reason, "engineDown")) > 0);
    }

    private async Task A_killed_engine_answers_nothing_and_the_next_one_goes_on(IPAddress address)
    {
        await _stage.Edge.Engine.KillAsync();
        await AnswersAsync(address, ConnectOutcome.NoAnswer);
        await _stage.Edge.StartEngineAsync();
        await AnswersAsync(address, ConnectOutcome.Established);
    }

    private async Task Connections_outlive_a_killed_engine_and_even_their_flow_table(IPAddress address)
    {
        // Two from one port of the client, to two cookies: towards the backend the second has another port.
        using var first = await SpeakAsync(address, port: 31_000);
        using var second = await SpeakAsync(await _stage.Edge.MintAsync(IPAddress.Parse("203.0.113.53")), port: 31_000);
        await _stage.Edge.Engine.KillAsync();
        await _stage.Edge.StartEngineAsync();
        Assert.Contains(_stage.Edge.Engine.Lines, line => line.Contains("flow(s), 0 half-written reclaimed", StringComparison.Ordinal));
        await AsksAsync(first, "NOOP\r\n", "250 ");
        await AsksAsync(second, "NOOP\r\n", "250 ");

        await _stage.Edge.Engine.KillAsync();
        File.Delete(_stage.Edge.FlowFile);
        await _stage.Edge.StartEngineAsync();
        Assert.Contains(_stage.Edge.Engine.Lines, line => line.Contains("no flow to adopt", StringComparison.Ordinal));
        await AsksAsync(first, "NOOP\r\n", "250 ");
        Assert.Equal(1, (await _stage.Edge.EngineMetricsAsync()).Sum("cookiexdp_flows_rebuilt_total"));
    }

    private async Task Detaching_gives_the_interfaces_back()
    {
        await _stage.Edge.Engine.StopAsync();
        (await RunAsync("detach")).Demand();
        // Now the kernel has the prefix, and its unreachable route says so.
        await AnswersAsync(await MintAsync(), ConnectOutcome.Unreachable);
        await _stage.Edge.StartEngineAsync();
        await AnswersAsync(await MintAsync(), ConnectOutcome.Established);
    }

    private async Task An_interface_that_has_gone_ends_the_engine_in_words()
    {
        await _stage.Topology.Edge.RunAsync("ip", "link", "delete", Topology.InsideInterface);
        Assert.Equal(1, await _stage.Edge.Engine.WaitForExitAsync(TimeSpan.FromSeconds(10)));
        Assert.Contains(_stage.Edge.Engine.Lines, line => line.Contains("inside has gone", StringComparison.Ordinal));
    }

    private async Task<Socket> SpeakAsync(IPAddress address, int port)
    {
        var socket = _stage.Topology.Internet.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        await socket.ConnectAsync(new IPEndPoint(address, 25));
        await AsksAsync(socket, "", "220 ");
        return socket;
    }

    private static async Task AsksAsync(Socket socket, string line, string answer)
    {
        using var timer = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        await socket.SendAsync(Encoding.ASCII.GetBytes(line), timer.Token);
        var buffer = new byte[512];
        var received = await socket.ReceiveAsync(buffer, timer.Token);
        Assert.StartsWith(answer, Encoding.ASCII.GetString(buffer, 0, received), StringComparison.Ordinal);
    }

    private string Engine => _stage.Edge.Engine.Id.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private Task<IPAddress> MintAsync() => _stage.Edge.MintAsync(Topology.GoodResolver);

    private Task<CommandResult> RunAsync(params string[] arguments) =>
        new Command(Programs.Engine, [.. arguments, "--config", _stage.Edge.ConfigurationFile]) { In = _stage.Topology.Edge }.RunAsync(TimeSpan.FromSeconds(30));

    private async Task AnswersAsync(IPAddress address, ConnectOutcome expected) =>
        Assert.Equal(expected, await _stage.Topology.Internet.TryConnectAsync(new IPEndPoint(address, 25), timeout: TimeSpan.FromSeconds(2)));
}
