using System.Diagnostics;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>An engine that is killed at any instruction, and what the next one finds: every flow that was published, no other, and none by half.</summary>
public sealed class FlowKillTests : IDisposable
{
    private readonly FlowFolder _folder = new();
    private readonly Random _random = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_next_engine_finds_what_was_published_whenever_the_one_before_was_killed()
    {
        var model = new FlowModel(FlowChild.Capacity);
        long index = 0;
        for (var round = 0; round < 40; round++)
        {
            var seed = _random.Next();
            var first = index;
            index = KillOne("operations", seed, first, mostMicroseconds: 3000);
            Assert.True(index > first);
            for (var i = first; i < index; i++)
            {
                var (operation, id, side, now) = FlowChild.OperationOf(seed, i);
                model.Do(operation, id, side, now);
            }

            var takeover = _folder.TakeOver(FlowChild.Capacity, FlowChild.OperationOf(seed, index + 1).Now);
            using var table = takeover.Table;
            Assert.Null(takeover.SetAside);
            Assert.InRange(takeover.Reclaimed, 0, 1);
            model = FindWhatIsThere(model, table, seed, index);
            Assert.Equal(model.Flows.Count, table.Adopted);

            // And it goes on working.
            for (var end = index + 500; index < end; index++)
            {
                var (operation, id, side, now) = FlowChild.OperationOf(seed + 1, index + 2);
                model.Do(operation, id, side, now);
                FlowModel.Do(table, operation, id, side, now);
                Assert.True(model.Equals(table, FlowChild.Ids));
            }
            index += 10;
        }
    }

    [Fact]
    public void An_engine_that_is_killed_while_it_takes_over_or_changes_the_size_loses_nothing()
    {
        _folder.Leave(flows: 60, FlowChild.Capacity);
        long index = 0;
        for (var round = 0; round < 15; round++)
        {
            index = KillOne("takeovers", 0, index, mostMicroseconds: 8000);
            foreach (var capacity in new[] { 2 * FlowChild.Capacity, FlowChild.Capacity })
            {
                var takeover = _folder.TakeOver(capacity);
                using var table = takeover.Table;
                Assert.Equal((null, 60, 20, FlowFolder.Now), (takeover.SetAside, table.Adopted, table.CountOf(FlowState.Established), table.Created));
            }
        }
        Assert.True(index > 15);
    }

    /// <summary>Starts a child, and kills it at some instant once it is at work.</summary>
    /// <returns>How many operations it had done.</returns>
    private long KillOne(string kind, int seed, long first, int mostMicroseconds)
    {
        using var child = new FlowChild(_folder.File, kind, seed, first);
        var watch = Stopwatch.StartNew();
        while (child.Done == first)
        {
            Assert.False(child.HasEnded);
            Assert.InRange(watch.ElapsedMilliseconds, 0, 15_000);
            Thread.Sleep(1);
        }
        var instant = Stopwatch.GetTimestamp() + _random.Next(mostMicroseconds) * (Stopwatch.Frequency / 1_000_000);
        while (Stopwatch.GetTimestamp() < instant)
            Thread.SpinWait(1);
        child.Kill();
        return child.Done;
    }

    /// <summary>The operation that the kill met has gone as far as it has: one of its steps, each whole.</summary>
    private static FlowModel FindWhatIsThere(FlowModel model, FlowTable table, int seed, long index)
    {
        var (operation, id, side, now) = FlowChild.OperationOf(seed, index);
        foreach (var step in model.StepsOf(operation, id, side, now).Prepend(() => { }))
        {
            step();
            if (model.Equals(table, FlowChild.Ids))
                return model;
        }
        Assert.Fail($"what was found is no state between operation {index} and the next");
        return model;
    }
}
