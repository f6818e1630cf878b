using CookieXdp.Dataplane.Flows;
using CsCheck;

namespace CookieXdp.Dataplane.Tests;

/// <summary>The flow table against a plain dictionary under random operations, and its times.</summary>
public sealed unsafe class FlowTableTests
{
    private enum Operation
    {
        Add,
        Establish,
        Close,
        Remove,
        Wait,
    }

    [Fact]
    public void It_holds_what_a_dictionary_would_hold() =>
        Gen.Select(Gen.Enum<Operation>(), Gen.UInt[0, 40], Gen.UInt[0, 120], Gen.Enum<Side>()).Array[0, 400].Sample(operations =>
        {
            using var table = new FlowTable(16);
            var model = new Dictionary<uint, Modelled>();
            uint now = 1;
            var order = 0;
            foreach (var (operation, id, seconds, side) in operations)
            {
                var flow = table.FindByClient(Client(id));
                Assert.Equal(model.ContainsKey(id), flow is not null);
                Assert.Equal(model.ContainsKey(id), table.FindByBackend(Return(id)) is not null);
                switch (operation)
                {
                    case Operation.Add when flow is null:
                        if (model.Count == table.Capacity)
                        {
                            foreach (var state in new[] { FlowState.Closing, FlowState.HalfOpen })
                            {
                                if (model.Any(entry => entry.Value.State == state))
                                {
                                    model.Remove(model.Where(entry => entry.Value.State == state).MinBy(entry => entry.Value.Order).Key);
                                    break;
                                }
                            }
                        }
                        var drop = table.Add(Client(id), Return(id), now, keepPort: true, out var added);
                        Assert.Equal(model.Count < table.Capacity ? DropReason.None : DropReason.FlowTableFull, drop);
                        Assert.Equal(drop == DropReason.None, added is not null);
                        if (added is not null)
                            model[id] = new(FlowState.HalfOpen, now, now, order++);
                        break;
                    case Operation.Establish or Operation.Close when flow is not null:
                        var next = operation == Operation.Establish ? FlowState.Established : FlowState.Closing;
                        // Within the granularity a frame that changes nothing is not noted.
                        if (model[id].State != next || now - model[id].LastSeenOf(side) >= 4)
                            model[id] = model[id].Noted(side, next, now, order++);
                        table.Touch(flow, side, flow->State, next, now);
                        break;
                    case Operation.Remove when flow is not null:
                        table.Remove(flow);
                        model.Remove(id);
                        break;
                    case Operation.Wait:
                        now += seconds;
                        var gone = model.Where(entry => now - entry.Value.LastSeen >= FlowTable.TimeoutOf(entry.Value.State)).Select(entry => entry.Key).ToList();
                        Assert.Equal(gone.Count, table.Expire(now, int.MaxValue));
                        gone.ForEach(key => model.Remove(key));
                        break;
                }
                foreach (var state in new[] { FlowState.HalfOpen, FlowState.Established, FlowState.Closing })
                    Assert.Equal(model.Count(entry => entry.Value.State == state), table.CountOf(state));
            }
        }, iter: 3000);

    [Theory]
    [InlineData(FlowState.HalfOpen, 60)]
    [InlineData(FlowState.Established, 7440)]
    [InlineData(FlowState.Closing, 240)]
    public void A_flow_is_forgotten_after_its_states_time_and_not_before(FlowState state, uint seconds)
    {
        using var table = new FlowTable(4);
        table.Add(Client(1), Return(1), 100, keepPort: true, out var flow);
        table.Touch(flow, Side.Uplink, flow->State, state, 100);
        Assert.Equal(0, table.Expire(100 + seconds - 1, 10));
        Assert.Equal(1, table.Expire(100 + seconds, 10));
        Assert.True(table.FindByClient(Client(1)) is null);
    }

    [Fact]
    public void Expiry_stops_at_the_number_it_was_given()
    {
        using var table = new FlowTable(100);
        for (uint id = 0; id < 100; id++)
            table.Add(Client(id), Return(id), 0, keepPort: true, out _);
        Assert.Equal(30, table.Expire(1000, 30));
        Assert.Equal(70, table.Expire(1000, 1000));
    }

    private sealed record Modelled(FlowState State, uint ClientSeen, uint BackendSeen, int Order)
    {
        public uint LastSeen => Math.Max(ClientSeen, BackendSeen);

        public uint LastSeenOf(Side side) => side == Side.Uplink ? ClientSeen : BackendSeen;

        public Modelled Noted(Side side, FlowState state, uint now, int order) =>
            side == Side.Uplink ? new(state, now, BackendSeen, order) : new(state, ClientSeen, now, order);
    }

    private static FlowKey Client(uint id) => new(1, id, 2, 3, id << 16 | 25);

    private static FlowKey Return(uint id) => new(1, id, 4, 5, id << 16 | 2525);
}
