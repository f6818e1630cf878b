using CookieXdp.Dataplane.Flows;
using CsCheck;

namespace CookieXdp.Dataplane.Tests;

/// <summary>The flow table against a plain dictionary under random operations, its times, and its bounds.</summary>
public sealed unsafe class FlowTableTests
{
    private const uint Ids = 41;
    private const int Wait = 4; // beside the operations; seldom, so that the table is often full

    [Fact]
    public void It_holds_what_a_dictionary_would_hold() =>
        Gen.Select(Gen.Frequency((10, Gen.Const(0)), (3, Gen.Const(1)), (4, Gen.Const(2)), (2, Gen.Const(3)), (1, Gen.Const(Wait))), Gen.UInt[0, Ids - 1], Gen.UInt[0, 120], Gen.Enum<Side>()).Array[0, 400].Sample(operations =>
        {
            using var table = new FlowTable(16);
            var model = new FlowModel(16);
            uint now = 1;
            foreach (var (operation, id, seconds, side) in operations)
            {
                if (operation == Wait)
                {
                    now += seconds;
                    Assert.Equal(model.Expire(now), table.Expire(now, int.MaxValue));
                }
                else
                {
                    var isFull = model.CountOf(FlowState.Established) == table.Capacity;
                    var isNew = (FlowOperation)operation == FlowOperation.Add && !model.Flows.ContainsKey(id);
                    Assert.Equal(isNew && isFull ? DropReason.FlowTableFull : DropReason.None, FlowModel.Do(table, (FlowOperation)operation, id, side, now));
                    model.Do((FlowOperation)operation, id, side, now);
                }
                Assert.True(model.Equals(table, Ids));
            }
        }, iter: 3000);

    [Theory]
    [InlineData(FlowState.HalfOpen, 60)]
    [InlineData(FlowState.Established, 7440)]
    [InlineData(FlowState.Closing, 240)]
    public void A_flow_is_forgotten_after_its_states_time_and_not_before(FlowState state, uint seconds)
    {
        using var table = new FlowTable(4);
        table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 100, keepPort: true, out var flow);
        table.Touch(flow, Side.Uplink, flow->State, state, 100);
        Assert.Equal(0, table.Expire(100 + seconds - 1, 10));
        Assert.Equal(1, table.Expire(100 + seconds, 10));
        Assert.True(table.FindByClient(FlowModel.ClientKey(1)) is null);
    }

    [Fact]
    public void A_frame_of_either_side_keeps_a_flow()
    {
        foreach (var side in Enum.GetValues<Side>())
        {
            using var table = new FlowTable(4);
            table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 100, keepPort: true, out var flow);
            table.Touch(flow, side, FlowState.HalfOpen, FlowState.Established, 100);
            table.Touch(flow, side, FlowState.Established, FlowState.Established, 7000);
            Assert.Equal(0, table.Expire(7000 + 7439, 10));
            Assert.Equal(1, table.Expire(7000 + 7440, 10));
        }
    }

    [Fact]
    public void Expiry_stops_at_the_number_it_was_given()
    {
        using var table = new FlowTable(100);
        for (uint id = 0; id < 100; id++)
            table.Add(FlowModel.ClientKey(id), FlowModel.BackendKey(id), 0, keepPort: true, out _);
        Assert.Equal(30, table.Expire(1000, 30));
        Assert.True(table.HasDue(1000));
        Assert.Equal(70, table.Expire(1000, 1000));
        Assert.False(table.HasDue(1000));
    }

    [Fact]
    public void A_state_that_another_thread_has_changed_meanwhile_stays()
    {
        using var table = new FlowTable(4);
        table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 100, keepPort: true, out var flow);
        table.Touch(flow, Side.Inside, FlowState.HalfOpen, FlowState.Closing, 100);
        table.Touch(flow, Side.Uplink, FlowState.HalfOpen, FlowState.Established, 100); // concluded from the state before
        Assert.Equal((0, 1), (table.CountOf(FlowState.Established), table.CountOf(FlowState.Closing)));
        table.Remove(flow);
        table.Remove(flow); // and one that is gone stays gone
        table.Touch(flow, Side.Uplink, FlowState.Closing, FlowState.Established, 200);
        table.Touch(flow, Side.Uplink, FlowState.Free, FlowState.Free, 300);
        Assert.Equal((0, 0, 0), (table.CountOf(FlowState.HalfOpen), table.CountOf(FlowState.Established), table.CountOf(FlowState.Closing)));
    }

    [Fact]
    public void A_flow_that_is_there_already_is_found_instead_of_added_twice()
    {
        using var table = new FlowTable(4);
        table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 100, keepPort: true, out var first);
        Assert.Equal(DropReason.None, table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 100, keepPort: true, out var second));
        Assert.True(first == second);
        Assert.Equal(1, table.CountOf(FlowState.HalfOpen));
    }

    [Fact]
    public void Ports_towards_a_backend_are_never_shared_and_when_all_that_are_tried_are_taken_a_half_open_flow_goes_but_no_established_one()
    {
        // One client port and one backend, a cookie for each flow: all but the first need another port.
        const int flows = 100_000;
        using var table = new FlowTable(flows);
        var ports = new HashSet<uint>();
        var refused = 0;
        uint tookOver = 0;
        for (uint id = 0; id < flows; id++)
        {
            var drop = table.Add(new FlowKey(1, 2, 3, id, 0x1900_409C), new FlowKey(1, 2, 4, 5, 0xDD09_409C), 1, keepPort: false, out var flow);
            if (drop == DropReason.None)
            {
                Assert.True(ports.Add(flow->BackendPorts) || (flow->BackendPorts == 0xDD09_409C && tookOver == 0));
                Assert.Equal(0xDD09u, flow->BackendPorts >> 16);
                Assert.InRange(System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)flow->BackendPorts), 1024, 65535);
                Assert.True(table.FindByBackend(flow->BackendKey) == flow);
                // The first one, on the client's own port, is half-open: anybody may have forged it.
                if (id > 0)
                    table.Touch(flow, Side.Uplink, FlowState.HalfOpen, FlowState.Established, 1);
                if (flow->BackendPorts == 0xDD09_409C && id > 0)
                    tookOver = id;
            }
            else
            {
                Assert.Equal(DropReason.ClientPortInUse, drop);
                Assert.NotEqual(0u, tookOver);
                refused++;
            }
        }
        // There are 64 512, and whoever tries one only would find four fifths of them.
        Assert.InRange(ports.Count, 64_512 * 9 / 10, 64_513);
        Assert.Equal(flows, ports.Count + 1 + refused);
        Assert.Equal((0, ports.Count), (table.CountOf(FlowState.HalfOpen), table.CountOf(FlowState.Established)));
    }

    [Fact]
    public void An_entry_stays_what_it_is_until_the_batch_that_found_it_is_over()
    {
        using var table = new FlowTable(4);
        var reader = table.AddReader();
        reader.Enter();
        table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 1, keepPort: true, out var held);
        table.Remove(held);
        // More flows than there are entries: each is given back at once, and would be another flow's before long.
        var full = 0;
        for (uint id = 2; id < 5000; id++)
        {
            if (table.Add(FlowModel.ClientKey(id), FlowModel.BackendKey(id), 1, keepPort: true, out var flow) == DropReason.None)
                table.Remove(flow);
            else
                full++;
            Assert.True(held->ClientKey == FlowModel.ClientKey(1));
        }
        Assert.InRange(full, 1, 5000);
        reader.Exit();
        Assert.Equal(DropReason.None, table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 1, keepPort: true, out _));
    }

    [Fact]
    public void A_guess_that_was_wrong_or_has_gone_meanwhile_is_looked_up_again()
    {
        using var table = new FlowTable(4);
        var reader = table.AddReader();
        reader.Enter();
        table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 1, keepPort: true, out var first);
        table.Add(FlowModel.ClientKey(2), FlowModel.BackendKey(2), 1, keepPort: true, out var other);
        var byClient = table.HashOfClient(FlowModel.ClientKey(1));
        var byBackend = table.HashOfBackend(FlowModel.BackendKey(1));
        Assert.True(table.Guess(byClient, Side.Uplink) == first);
        Assert.True(table.Guess(byBackend, Side.Inside) == first);
        foreach (var guess in new nint[] { (nint)first, (nint)other, 0 })
        {
            Assert.True(table.FindByClient(FlowModel.ClientKey(1), byClient, (Flow*)guess) == first);
            Assert.True(table.FindByBackend(FlowModel.BackendKey(1), byBackend, (Flow*)guess) == first);
        }
        table.Remove(first);
        Assert.True(table.FindByClient(FlowModel.ClientKey(1), byClient, first) is null);
        Assert.True(table.FindByBackend(FlowModel.BackendKey(1), byBackend, first) is null);
        table.Add(FlowModel.ClientKey(1), FlowModel.BackendKey(1), 1, keepPort: true, out var second);
        Assert.True(table.FindByClient(FlowModel.ClientKey(1), byClient, first) == second && second != first);
        Assert.True(table.FindByBackend(FlowModel.BackendKey(1), byBackend, first) == second);
        reader.Exit();
    }
}
