using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>Threads that look flows up while others add and remove them.</summary>
public sealed unsafe class FlowConcurrencyTests
{
    private const uint Stable = 100; // flows that are there all the time
    private const uint Changing = 60;

    [Fact]
    public void Readers_find_every_flow_that_stays_and_never_one_that_becomes_another()
    {
        using var table = new FlowTable(256);
        for (uint id = 0; id < Stable; id++)
        {
            table.Add(FlowModel.ClientKey(id), FlowModel.BackendKey(id), 1, keepPort: true, out var flow);
            table.Touch(flow, Side.Uplink, FlowState.HalfOpen, FlowState.Established, 1);
        }
        var stopping = false;
        var problems = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var batches = 0L;
        using var start = new Barrier(4);
        var readers = Enumerable.Range(0, 2).Select(seed => new Thread(() =>
        {
            var reader = table.AddReader();
            var random = new Random(seed);
            var found = new (uint Id, nint Flow)[64];
            start.SignalAndWait();
            while (!Volatile.Read(ref stopping))
            {
                reader.Enter();
                for (var i = 0; i < found.Length; i++)
                {
                    var id = (uint)random.Next((int)(Stable + Changing));
                    var flow = i % 2 == 0 ? table.FindByClient(FlowModel.ClientKey(id)) : table.FindByBackend(FlowModel.BackendKey(id));
                    found[i] = (id, (nint)flow);
                    if (flow is null && id < Stable)
                        problems.Enqueue($"flow {id} was missed");
                    if (flow is not null)
                        table.Touch(flow, Side.Inside, flow->State, flow->State, (uint)i * 8);
                }
                foreach (var (id, flow) in found)
                {
                    if (flow != 0 && (((Flow*)flow)->ClientKey != FlowModel.ClientKey(id) || ((Flow*)flow)->BackendKey != FlowModel.BackendKey(id)))
                        problems.Enqueue($"flow {id} became another");
                }
                reader.Exit();
                Interlocked.Increment(ref batches);
            }
        })).ToList();
        var changers = Enumerable.Range(0, 2).Select(seed => new Thread(() => Change(table, start, seed, 400_000))).ToList();
        readers.ForEach(thread => thread.Start());
        changers.ForEach(thread => thread.Start());
        changers.ForEach(thread => thread.Join());
        Volatile.Write(ref stopping, true);
        readers.ForEach(thread => thread.Join());

        Assert.Empty(problems);
        Assert.InRange(batches, 10, long.MaxValue);
        IsWhole(table, (int)Stable);
    }

    [Fact]
    public void What_several_threads_change_at_once_stays_whole()
    {
        // Without readers, which hold entries back while they wait for a processor: these meet each other all the time.
        using var table = new FlowTable(256);
        using var start = new Barrier(2);
        var changers = Enumerable.Range(0, 2).Select(seed => new Thread(() => Change(table, start, seed, 300_000))).ToList();
        changers.ForEach(thread => thread.Start());
        changers.ForEach(thread => thread.Join());
        IsWhole(table, established: 0);
    }

    private static void Change(FlowTable table, Barrier start, int seed, uint operations)
    {
        var reader = table.AddReader();
        var random = new Random(seed + 100);
        start.SignalAndWait();
        for (uint i = 0; i < operations; i++)
        {
            var id = Stable + (uint)random.Next((int)Changing);
            reader.Enter();
            var flow = table.FindByClient(FlowModel.ClientKey(id));
            if (flow is null)
                table.Add(FlowModel.ClientKey(id), FlowModel.BackendKey(id), i, keepPort: true, out _);
            else if (random.Next(2) == 0)
                table.Remove(flow);
            else
                table.Touch(flow, Side.Uplink, flow->State, FlowState.Closing, i);
            reader.Exit();
        }
    }

    private static void IsWhole(FlowTable table, int established)
    {
        var there = Enumerable.Range((int)Stable, (int)Changing).Count(id => table.FindByClient(FlowModel.ClientKey((uint)id)) is not null);
        Assert.Equal(there, table.CountOf(FlowState.HalfOpen) + table.CountOf(FlowState.Closing));
        Assert.Equal(established, table.CountOf(FlowState.Established));
        // All of it goes in the end, and there is as much room as before: nothing was lost on the way.
        Assert.Equal(there + established, table.Expire(1_000_000, int.MaxValue));
        for (uint id = 1000; id < 1256; id++)
        {
            Assert.Equal(DropReason.None, table.Add(FlowModel.ClientKey(id), FlowModel.BackendKey(id), 1_000_000, keepPort: true, out var flow));
            table.Touch(flow, Side.Uplink, FlowState.HalfOpen, FlowState.Established, 1_000_000);
        }
        Assert.Equal(256, table.CountOf(FlowState.Established));
    }
}
