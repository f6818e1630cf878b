using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>What became of a packet's first fragment, for those that follow: they have no ports to find a flow by.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FragmentedPacket
{
    internal FragmentKey Key;

    /// <summary>The address that was written: the backend's as destination, or the cookie's as source.</summary>
    internal ulong NearHigh;

    /// <summary>Its last eight bytes.</summary>
    internal ulong NearLow;

    /// <summary>Second of uptime from which on it is forgotten; 0: the place is free.</summary>
    internal uint Until;

    /// <summary>Bytes that the first fragment carried: nothing that follows may lie before them (RFC 5722).</summary>
    internal ushort FirstEnd;

    /// <summary>Fragments that have followed.</summary>
    internal ushort Followers;
}

/// <summary>
/// The fragmented packets on their way through one worker, a bounded number for a bounded time; the oldest of a bucket gives way. Only first
/// fragments that passed get in. All fragments of a packet meet the same worker: hardware spreads fragments by their addresses alone.
/// </summary>
internal sealed unsafe class FragmentTable : IDisposable
{
    /// <summary>Seconds after which a packet's remaining fragments are too late. RFC 8200, section 4.5 lets a receiver wait for 60; it need not all be used up here.</summary>
    internal const uint Lifetime = 30;

    /// <summary>Fragments that may follow a first one: 65 535 bytes in pieces of 1280 − 40 − 8 are 54.</summary>
    internal const int MostFollowers = 64;

    private const int Buckets = 256;
    private const int Ways = 4;

    private readonly FragmentedPacket* _packets;
    private readonly KeyedHash _hash = KeyedHash.Create();

    internal FragmentTable() => _packets = (FragmentedPacket*)NativeMemory.AllocZeroed(Buckets * Ways, (nuint)sizeof(FragmentedPacket));

    /// <summary>Remembers what a first fragment was turned into.</summary>
    /// <returns>False where another first fragment of the same packet was something else: of two that overlap neither can be trusted.</returns>
    internal bool TryRemember(in FragmentKey key, ushort firstEnd, ulong nearHigh, ulong nearLow, uint now)
    {
        var bucket = BucketOf(key);
        var place = bucket;
        for (var way = 0; way < Ways; way++)
        {
            var packet = bucket + way;
            if (packet->Until > now && packet->Key.Matches(key))
                return packet->FirstEnd == firstEnd && packet->NearHigh == nearHigh && packet->NearLow == nearLow; // the same one again
            if (packet->Until < place->Until)
                place = packet;
        }
        *place = new FragmentedPacket { Key = key, NearHigh = nearHigh, NearLow = nearLow, Until = now + Lifetime, FirstEnd = firstEnd };
        return true;
    }

    /// <summary>The packet that a later fragment is of, or null.</summary>
    internal FragmentedPacket* Find(in FragmentKey key, uint now)
    {
        var bucket = BucketOf(key);
        for (var way = 0; way < Ways; way++)
        {
            if (bucket[way].Until > now && bucket[way].Key.Matches(key))
                return bucket + way;
        }
        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_packets);

    private FragmentedPacket* BucketOf(in FragmentKey key) => _packets + (int)(key.Hash(_hash) >> 32 & (Buckets - 1)) * Ways;
}
