using System.Diagnostics;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>What the next engine makes of a sound flow file: all of it, also in another size.</summary>
public sealed unsafe class FlowTakeoverTests : IDisposable
{
    private readonly FlowFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_first_engine_makes_a_file_that_its_owner_alone_may_read()
    {
        using var table = _folder.TakeOver().Table;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder.File));
        Assert.Equal(["flows"], _folder.Names);
        Assert.Equal(FlowFolder.Now, table.Created);
    }

    [Fact]
    public void The_next_engine_has_every_flow_in_its_state_and_knows_when_the_table_began()
    {
        _folder.Leave(flows: 6);
        var takeover = _folder.TakeOver(now: FlowFolder.Now + 50);
        using var table = takeover.Table;
        Assert.Equal((6, 0, 0, false), (table.Adopted, takeover.Reclaimed, takeover.LeftOut, takeover.IsRemarkable));
        Assert.Equal($"flow table {_folder.File}: adopted 6 flow(s), 0 half-written reclaimed", takeover.ToString());
        Assert.Equal((2, 2, 2), (table.CountOf(FlowState.HalfOpen), table.CountOf(FlowState.Established), table.CountOf(FlowState.Closing)));
        Assert.Equal(FlowFolder.Now, table.Created);
        // Timers go on from where they were: 60, 240 and 7440 seconds from the last frame, not from now.
        Assert.Equal([0, 2, 0, 2, 0, 2], new uint[] { 59, 60, 239, 240, 7439, 7440 }.Select(age => table.Expire(FlowFolder.Now + age, 100)));
    }

    [Fact]
    public void What_is_shed_first_after_a_takeover_is_the_oldest()
    {
        using (var table = _folder.TakeOver(capacity: 4).Table)
        {
            foreach (var (id, seen) in new (uint, uint)[] { (3, 300), (1, 100), (2, 200), (0, 400) })
                FlowModel.Do(table, FlowOperation.Add, id, Side.Uplink, seen);
        }
        using var next = _folder.TakeOver(capacity: 4).Table;
        foreach (var (added, gone) in new (uint, uint)[] { (11, 1), (12, 2), (13, 3), (14, 0) })
        {
            Assert.True(next.FindByClient(FlowModel.ClientKey(gone)) is not null);
            FlowModel.Do(next, FlowOperation.Add, added, Side.Uplink, 500);
            Assert.True(next.FindByClient(FlowModel.ClientKey(gone)) is null);
        }
    }

    [Fact]
    public void A_half_written_entry_is_free_again()
    {
        using (var table = _folder.TakeOver().Table)
        {
            FlowModel.Do(table, FlowOperation.Add, 1, Side.Uplink, FlowFolder.Now);
            FlowModel.Do(table, FlowOperation.Add, 2, Side.Uplink, FlowFolder.Now);
            // As Write leaves it when the process is killed in the middle.
            table.FindByClient(FlowModel.ClientKey(2))->Word = Flow.Writing;
        }
        var takeover = _folder.TakeOver();
        using var next = takeover.Table;
        Assert.Equal((1, 1, false), (next.Adopted, takeover.Reclaimed, takeover.IsRemarkable));
        Assert.True(next.FindByClient(FlowModel.ClientKey(2)) is null);
        for (uint id = 2; id < 9; id++)
            Assert.Equal(DropReason.None, FlowModel.Do(next, FlowOperation.Add, id, Side.Uplink, FlowFolder.Now));
    }

    [Theory]
    [InlineData(16, 6, 0, 1000)] // more room
    [InlineData(6, 6, 0, 1000)] // less, but enough
    [InlineData(3, 3, 3, 1000)] // the established flows and one half-open
    [InlineData(1, 1, 5, 1050)] // an established flow is lost: as good as a new table, whose flows may be rebuilt
    public void A_table_of_another_size_keeps_what_fits_the_established_flows_first(int capacity, int kept, int leftOut, uint created)
    {
        _folder.Leave(flows: 6);
        var takeover = _folder.TakeOver(capacity, FlowFolder.Now + 50);
        using var table = takeover.Table;
        Assert.Equal((kept, leftOut, leftOut > 0), (table.Adopted, takeover.LeftOut, takeover.IsRemarkable));
        Assert.Equal((capacity, created), (table.Capacity, table.Created));
        Assert.Equal((Math.Min(2, kept), Math.Clamp(kept - 2, 0, 2), Math.Clamp(kept - 4, 0, 2)),
            (table.CountOf(FlowState.Established), table.CountOf(FlowState.HalfOpen), table.CountOf(FlowState.Closing)));
        Assert.True(table.FindByBackend(FlowModel.BackendKey(0)) is not null);
        Assert.Equal(["flows"], _folder.Names);
        if (leftOut > 0)
            Assert.EndsWith($"; {leftOut} had no room: edge.flows is less than it was", takeover.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_another_process_has_is_left_alone()
    {
        _folder.Leave();
        using var table = _folder.TakeOver().Table;
        Assert.Contains("another process has it", Assert.Throws<IOException>(() => _folder.TakeOver()).Message, StringComparison.Ordinal);
        Assert.Contains("another process has it", Assert.Throws<IOException>(() => _folder.TakeOver(capacity: 16)).Message, StringComparison.Ordinal);
        Assert.Equal(["flows"], _folder.Names);
        Assert.Equal(6, table.Adopted);
    }

    [Fact]
    public void Where_there_is_no_room_it_is_said_before_anything_is_written()
    {
        // 100 KiB are too little for the 1032 entries of a small table; a map of them could be written to until the process died.
        InSmallFileSystem("100k", () =>
        {
            Assert.Contains("Make room (a larger /dev/shm), or give it fewer flows", Assert.Throws<IOException>(() => _folder.TakeOver()).Message, StringComparison.Ordinal);
            Assert.Empty(_folder.Names);
        });
    }

    [Fact]
    public void A_file_with_holes_is_filled_before_it_is_used()
    {
        InSmallFileSystem("300k", () =>
        {
            _folder.Leave();
            var whole = File.ReadAllBytes(_folder.File);
            using (var file = new FileStream(_folder.File, FileMode.Open))
            {
                file.SetLength(0);
                file.Write(whole, 0, 4096 * 4);
                file.SetLength(whole.Length);
            }
            // Somebody else takes the room that the holes will need.
            var other = _folder.File + ".other";
            File.WriteAllBytes(other, new byte[200 * 1024]);
            Assert.Contains("Make room", Assert.Throws<IOException>(() => _folder.TakeOver()).Message, StringComparison.Ordinal);
            File.Delete(other);
            using var table = _folder.TakeOver().Table;
            Assert.Equal(6, table.Adopted);
        });
    }

    private void InSmallFileSystem(string size, Action test)
    {
        var mount = Path.GetDirectoryName(_folder.File)!;
        Run("mount", "-t", "tmpfs", "-o", $"size={size},mode=700", "small", mount);
        try
        {
            test();
        }
        finally
        {
            Run("umount", mount);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
