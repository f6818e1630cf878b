using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace CookieXdp.Engine.Workers;

/// <summary>Pins threads to processors, among those that the process may use.</summary>
internal static unsafe class CpuAffinity
{
    /// <summary>The processors that this process may use, in ascending order.</summary>
    internal static int[] Allowed()
    {
        var set = default(cpu_set_t);
        if (sched_getaffinity(0, sizeof(cpu_set_t), &set) < 0)
            return [.. Enumerable.Range(0, Environment.ProcessorCount)];
        var allowed = new List<int>();
        for (var cpu = 0; cpu < CPU_SETSIZE; cpu++)
        {
            if (((byte*)&set)[cpu / 8] >> (cpu % 8) is var bits && (bits & 1) != 0)
                allowed.Add(cpu);
        }
        return [.. allowed];
    }

    /// <summary>Pins the calling thread. Where the kernel refuses it runs unpinned: slower, not wrong.</summary>
    internal static void PinThisThread(int cpu)
    {
        var set = default(cpu_set_t);
        ((byte*)&set)[cpu / 8] = (byte)(1 << (cpu % 8));
        _ = sched_setaffinity(0, sizeof(cpu_set_t), &set);
    }
}
