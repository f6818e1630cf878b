using BenchmarkDotNet.Attributes;
using CookieXdp.Cookies;

namespace CookieXdp.Bench;

/// <summary>One cookie at a time, packing included, every one another.</summary>
[MemoryDiagnoser]
public class CookieBenchmarks
{
    private const int Count = 4096;
    private const long Now = 1_700_000_000;

    private readonly PrefixKeys _keys = PrefixKeys.Derive(MasterSecret.FromBytes([.. Enumerable.Range(1, 32).Select(i => (byte)i)]), CookiePrefix.Parse("2001:db8:25::/48"), Now);
    private readonly byte[] _addresses = new byte[Count * 16];
    private readonly Cookie[] _cookies = new Cookie[Count];

    /// <summary>Mints what is opened.</summary>
    [GlobalSetup]
    public void Prepare() => Mint();

    /// <summary>Mints 4096 addresses for as many resolvers.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Mint()
    {
        for (var i = 0; i < Count; i++)
            _keys.TryMint(ResolverNetwork.FromIpv4((uint)i * 2654435761), Now, i & 15, verified: true, ecs: false, _addresses.AsSpan(i * 16, 16));
    }

    /// <summary>Opens them.</summary>
    [Benchmark(OperationsPerInvoke = Count)]
    public void Open()
    {
        for (var i = 0; i < Count; i++)
            _keys.TryOpen(_addresses.AsSpan(i * 16, 16), Now, out _cookies[i]);
    }
}
