using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Runtime.CompilerServices;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// This program once more, as an engine that is going to be killed: it does operations to a flow file that follow from a seed, or takes the file over
/// again and again, and keeps count of them in a file beside it, until it is killed.
/// </summary>
internal sealed unsafe class FlowChild : IDisposable
{
    public const uint Ids = 120;
    public const int Capacity = 64;

    private const string Variable = "COOKIEXDP_FLOW_CHILD";
    private const int LongestMilliseconds = 20_000; // should nobody be left to kill it

    private readonly Process _process;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    /// <summary>Starts one.</summary>
    public FlowChild(string path, string kind, int seed, long first)
    {
        var counter = path + ".count";
        File.WriteAllBytes(counter, BitConverter.GetBytes(first));
        _file = MemoryMappedFile.CreateFromFile(counter, FileMode.Open);
        _view = _file.CreateViewAccessor();
        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false };
        start.Environment[Variable] = $"{kind} {seed} {first} {path}";
        _process = Process.Start(start)!;
    }

    /// <summary>How many operations are done; while it runs, one more may be.</summary>
    public long Done => _view.ReadInt64(0);

    public bool HasEnded => _process.HasExited;

    public static (FlowOperation Operation, uint Id, Side Side, uint Now) OperationOf(int seed, long index)
    {
        var random = (ulong)index * 0x9E3779B97F4A7C15 + (ulong)seed * 0xD1B54A32D192ED03;
        random = (random ^ (random >> 32)) * 0xD6E8FEB86659FD93;
        random ^= random >> 32;
        // Mostly added and removed; each second of the model's time is different, so that the order of the last frames is known.
        var operation = (random & 7) switch { < 4 => FlowOperation.Add, 4 => FlowOperation.Remove, 5 => FlowOperation.Establish, _ => FlowOperation.Close };
        return (operation, (uint)(random >> 8) % Ids, (Side)(random >> 60 & 1), FlowFolder.Now + (uint)index * 5);
    }

    /// <summary>kill -9, at whatever it is doing.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
        _view.Dispose();
        _file.Dispose();
    }

    /// <summary>Where the program is the child, it is nothing else.</summary>
    [ModuleInitializer]
    internal static void RunIfChild()
    {
        if (Environment.GetEnvironmentVariable(Variable)?.Split(' ', 4) is not [var kind, var seed, var first, var path])
            return;
        using var file = MemoryMappedFile.CreateFromFile(path + ".count", FileMode.Open);
        using var view = file.CreateViewAccessor();
        byte* counter = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref counter);
        var index = long.Parse(first, System.Globalization.CultureInfo.InvariantCulture);
        var end = Environment.TickCount64 + LongestMilliseconds;
        if (kind == "operations")
            DoOperations(path, int.Parse(seed, System.Globalization.CultureInfo.InvariantCulture), (long*)counter, index, end);
        else
            TakeOver(path, (long*)counter, index, end);
        Environment.Exit(0);
    }

    private static void DoOperations(string path, int seed, long* counter, long index, long end)
    {
        var table = FlowTakeover.Run(path, Capacity, OperationOf(seed, index).Now).Table;
        while ((index & 0xFFFF) != 0 || Environment.TickCount64 < end)
        {
            var (operation, id, side, now) = OperationOf(seed, index);
            FlowModel.Do(table, operation, id, side, now);
            Volatile.Write(ref *counter, ++index);
        }
    }

    private static void TakeOver(string path, long* counter, long index, long end)
    {
        while (Environment.TickCount64 < end)
        {
            // Twice the size and back, and now and then the same.
            FlowTakeover.Run(path, (index % 3) switch { 0 => Capacity, 1 => 2 * Capacity, _ => 2 * Capacity }, FlowFolder.Now).Table.Dispose();
            Volatile.Write(ref *counter, ++index);
        }
    }
}
