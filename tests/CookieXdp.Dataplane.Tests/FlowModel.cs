using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>What is done to a table by a test, to the flow of a number.</summary>
public enum FlowOperation
{
    Add,
    Establish,
    Close,
    Remove,
}

/// <summary>A flow as the model has it; the order is that of the last frame noted.</summary>
internal sealed record ModelFlow(FlowState State, uint ClientSeen, uint BackendSeen, int Order)
{
    public uint LastSeen => Math.Max(ClientSeen, BackendSeen);

    public uint LastSeenOf(Side side) => side == Side.Uplink ? ClientSeen : BackendSeen;
}

/// <summary>A flow table as a plain dictionary by number, and the same operations on it and on a real one.</summary>
internal sealed unsafe class FlowModel(int capacity)
{
    private int _order;

    public Dictionary<uint, ModelFlow> Flows { get; private set; } = [];

    public static FlowKey ClientKey(uint id) => new(1, id, 2, 3, id << 16 | 25);

    public static FlowKey BackendKey(uint id) => new(1, id, 4, 5, id << 16 | 2525);

    public FlowModel Clone() => new(capacity) { Flows = new(Flows), _order = _order };

    public int CountOf(FlowState state) => Flows.Count(flow => flow.Value.State == state);

    /// <summary>Does an operation to a real table.</summary>
    public static DropReason Do(FlowTable table, FlowOperation operation, uint id, Side side, uint now)
    {
        var flow = table.FindByClient(ClientKey(id));
        switch (operation)
        {
            case FlowOperation.Add when flow is null:
                return table.Add(ClientKey(id), BackendKey(id), now, keepPort: true, out _);
            case FlowOperation.Establish or FlowOperation.Close when flow is not null:
                table.Touch(flow, side, flow->State, StateAfter(operation), now);
                break;
            case FlowOperation.Remove when flow is not null:
                table.Remove(flow);
                break;
        }
        return DropReason.None;
    }

    /// <summary>The same to this one, in the steps that another process may see one by one.</summary>
    public IReadOnlyList<Action> StepsOf(FlowOperation operation, uint id, Side side, uint now)
    {
        var there = Flows.TryGetValue(id, out var flow);
        switch (operation)
        {
            case FlowOperation.Add when !there:
                var steps = new List<Action>();
                var victim = Flows.Count < capacity ? null : OldestOf(FlowState.Closing) ?? OldestOf(FlowState.HalfOpen);
                if (victim is not null)
                    steps.Add(() => Flows.Remove(victim.Value));
                if (victim is not null || Flows.Count < capacity)
                    steps.Add(() => Flows[id] = new(FlowState.HalfOpen, now, now, _order++));
                return steps;
            case FlowOperation.Establish or FlowOperation.Close when there:
                var state = StateAfter(operation);
                // Within the granularity a frame that changes nothing is not noted.
                if (flow!.State == state && now - flow.LastSeenOf(side) < 4)
                    return [];
                var seen = side == Side.Uplink ? flow with { ClientSeen = now } : flow with { BackendSeen = now };
                return [() => Flows[id] = seen with { Order = _order++ }, () => Flows[id] = Flows[id] with { State = state }];
            case FlowOperation.Remove when there:
                return [() => Flows.Remove(id)];
            default:
                return [];
        }
    }

    public void Do(FlowOperation operation, uint id, Side side, uint now)
    {
        foreach (var step in StepsOf(operation, id, side, now))
            step();
    }

    /// <summary>Forgets what a real table would forget.</summary>
    /// <returns>How many went.</returns>
    public int Expire(uint now)
    {
        var gone = Flows.Where(flow => now - flow.Value.LastSeen >= FlowTable.TimeoutOf(flow.Value.State)).Select(flow => flow.Key).ToList();
        gone.ForEach(id => Flows.Remove(id));
        return gone.Count;
    }

    /// <summary>Whether a real table has exactly these flows, each found by both of its keys, of all numbers below a bound.</summary>
    public bool Equals(FlowTable table, uint ids)
    {
        for (uint id = 0; id < ids; id++)
        {
            var byClient = table.FindByClient(ClientKey(id));
            var byBackend = table.FindByBackend(BackendKey(id));
            if (byClient != byBackend)
                return false;
            var expected = Flows.GetValueOrDefault(id);
            if (expected is null != byClient is null)
                return false;
            if (expected is not null && (byClient->State, byClient->Client.LastSeen, byClient->Backend.LastSeen) != (expected.State, expected.ClientSeen, expected.BackendSeen))
                return false;
        }
        return CountOf(FlowState.HalfOpen) == table.CountOf(FlowState.HalfOpen) && CountOf(FlowState.Established) == table.CountOf(FlowState.Established)
            && CountOf(FlowState.Closing) == table.CountOf(FlowState.Closing);
    }

    private static FlowState StateAfter(FlowOperation operation) => operation == FlowOperation.Establish ? FlowState.Established : FlowState.Closing;

    private uint? OldestOf(FlowState state) =>
        Flows.Any(flow => flow.Value.State == state) ? Flows.Where(flow => flow.Value.State == state).MinBy(flow => flow.Value.Order).Key : null;
}
