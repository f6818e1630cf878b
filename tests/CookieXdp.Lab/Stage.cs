namespace CookieXdp.Lab;

/// <summary>
/// Everything at once, for a story or a test fixture: the three machines, the edge's programs, two resolvers, a sending and a receiving
/// mail server. Taken down in reverse order; when raising it fails half way, what was made is taken down too.
/// </summary>
public sealed class Stage : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _made = [];
    private readonly List<LabProcess> _processes = [];

    private Stage(LabFolder folder) => Folder = folder;

    /// <summary>The run's folder; set <see cref="LabFolder.Keep"/> where something failed that one may want to look into.</summary>
    public LabFolder Folder { get; }

    /// <summary>The three machines.</summary>
    public Topology Topology { get; private set; } = null!;

    /// <summary>The programs under test.</summary>
    public Edge Edge { get; private set; } = null!;

    /// <summary>The resolver that nobody minds.</summary>
    public Unbound Resolver { get; private set; } = null!;

    /// <summary>The resolver on the banned list.</summary>
    public Unbound BannedResolver { get; private set; } = null!;

    /// <summary>Somebody's mail server, which asks <see cref="Resolver"/>.</summary>
    public MailSender Sender { get; private set; } = null!;

    /// <summary>The protected mail server.</summary>
    public MailBackend Backend { get; private set; } = null!;

    /// <summary>Raises it.</summary>
    /// <param name="settings">The edge's settings; null: the defaults.</param>
    /// <exception cref="LabException">A part did not come up; the message shows its last lines.</exception>
    public static async Task<Stage> RaiseAsync(EdgeSettings? settings = null)
    {
        await Prerequisites.DemandAsync();
        var stage = new Stage(LabFolder.Create());
        try
        {
            stage.Topology = stage.Keep(await Topology.CreateAsync(stage.Folder.Id));

            // Each needs the machines only, and a Postfix takes a second or two to come up.
            var backend = stage.KeepAsync(MailBackend.StartAsync(stage.Folder, stage.Topology), part => part.Postfix.Process);
            var sender = stage.KeepAsync(MailSender.StartAsync(stage.Folder, stage.Topology, Topology.GoodResolver), part => part.Postfix.Process);
            var resolver = stage.KeepAsync(Unbound.StartAsync(stage.Folder, stage.Topology, Topology.GoodResolver), part => part.Process);
            var banned = stage.KeepAsync(Unbound.StartAsync(stage.Folder, stage.Topology, Topology.BannedResolver), part => part.Process);
            var edge = stage.KeepAsync(Edge.StartAsync(stage.Folder, stage.Topology, settings), _ => null);
            await Task.WhenAll(backend, sender, resolver, banned, edge);

            stage.Backend = await backend;
            stage.Sender = await sender;
            stage.Resolver = await resolver;
            stage.BannedResolver = await banned;
            stage.Edge = await edge;
            return stage;
        }
        catch (Exception error)
        {
            stage.Folder.Keep = true;
            await stage.DisposeAsync();
            throw new LabException($"{error.Message}\nEverything it wrote is in {stage.Folder.Path}", error);
        }
    }

    /// <summary>The last lines of every program of the stage, for a failure's report.</summary>
    public string Tails(int count = 10)
    {
        lock (_made)
        {
            List<LabProcess> all = [.. _processes];
            if (Edge is not null)
                all.AddRange([Edge.Keeper, Edge.Dns, Edge.Engine]); // as they run now: a test may have restarted one
            return string.Join("\n\n", all.Select(process => process.Tail(count)));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        for (var i = _made.Count - 1; i >= 0; i--)
            await _made[i].DisposeAsync();
        _made.Clear();
        Folder.Dispose();
    }

    private T Keep<T>(T part)
        where T : IAsyncDisposable
    {
        lock (_made)
            _made.Add(part);
        return part;
    }

    private async Task<T> KeepAsync<T>(Task<T> start, Func<T, LabProcess?> process)
        where T : IAsyncDisposable
    {
        var part = Keep(await start);
        if (process(part) is { } running)
            lock (_made)
                _processes.Add(running);
        return part;
    }
}
