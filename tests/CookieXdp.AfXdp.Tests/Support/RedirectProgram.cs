namespace CookieXdp.AfXdp.Tests.Support;

/// <summary>redirect.bpf.c, loaded.</summary>
internal sealed class RedirectProgram : IDisposable
{
    private readonly BpfObject _object = BpfObject.Open(CompiledBpf.Redirect, "redirect.bpf.o");

    internal RedirectProgram() => _object.Load();

    internal BpfMap Sockets => _object.Map("sockets");

    internal BpfProgram Redirect => _object.Program("redirect");

    internal BpfProgram CountAndDrop => _object.Program("count_and_drop");

    internal ulong Redirected => _object.Map("counts").SumPerCpu(0);

    internal ulong NoSocket => _object.Map("counts").SumPerCpu(1);

    internal ulong Counted => _object.Map("counts").SumPerCpu(2);

    public void Dispose() => _object.Dispose();
}
