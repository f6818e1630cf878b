using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// How many answers one worker gives: so many a second to each /64, and so many to all. Who forges the source of packets can so have
/// neither one victim nor many flooded (RFC 4443, section 2.4(f)). Token buckets by the second, in native memory of fixed size; /64s that fall
/// into one bucket share it, by a hash that nobody outside can aim with.
/// </summary>
internal sealed unsafe class ReplyBudget : IDisposable
{
    /// <summary>Answers a second to one /64.</summary>
    internal const uint PerNetwork = 16;

    /// <summary>Answers a second to all.</summary>
    internal const uint Ceiling = 1024;

    /// <summary>Neighbour advertisements a second to one /64: a router asks anew for every cookie that it has a packet for, and its /64 is the link.</summary>
    internal const uint AdvertisementsPerNetwork = 1024;

    /// <summary>Neighbour advertisements a second to all.</summary>
    internal const uint AdvertisementCeiling = 4096;

    /// <summary>Seconds whose answers may be given at once, after a pause.</summary>
    internal const uint Burst = 2;

    private const int Buckets = 4096;

    private readonly Bucket* _buckets;
    private readonly KeyedHash _hash = KeyedHash.Create();

    internal ReplyBudget()
    {
        _buckets = (Bucket*)NativeMemory.Alloc(Buckets + 2, (nuint)sizeof(Bucket));
        for (var i = 0; i < Buckets + 2; i++)
            _buckets[i] = new Bucket { Tokens = uint.MaxValue };
    }

    /// <summary>Takes one answer out of both budgets; false where either is used up.</summary>
    /// <param name="kind">What it would be.</param>
    /// <param name="network">The first eight bytes of the address it would go to.</param>
    /// <param name="now">Seconds of uptime.</param>
    internal bool TryTake(ReplyKind kind, ulong network, uint now)
    {
        var isAdvertisement = kind == ReplyKind.NeighbourAdvertisement;
        var bucket = Refill(_buckets + (int)(_hash.Mix(network, isAdvertisement ? 1ul : 0) >> 32 & (Buckets - 1)), isAdvertisement ? AdvertisementsPerNetwork : PerNetwork, now);
        var all = Refill(_buckets + Buckets + (isAdvertisement ? 1 : 0), isAdvertisement ? AdvertisementCeiling : Ceiling, now);
        if (bucket->Tokens == 0 || all->Tokens == 0)
            return false;
        bucket->Tokens--;
        all->Tokens--;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_buckets);

    private static Bucket* Refill(Bucket* bucket, uint rate, uint now)
    {
        var elapsed = Math.Min(now - bucket->Filled, Burst);
        bucket->Filled = now;
        bucket->Tokens = (uint)Math.Min((ulong)bucket->Tokens + elapsed * rate, Burst * rate);
        return bucket;
    }

    private struct Bucket
    {
        public uint Filled;
        public uint Tokens;
    }
}
