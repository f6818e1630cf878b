using System.Buffers.Binary;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// Another port of a client towards a backend, where its own is in use there by another of its connections: a row of ports that follows from the
/// flow and the table's secrets.
/// </summary>
internal static class FlowPort
{
    /// <summary>How many ports are tried. Of a client that has taken half of all, one in 2^64 would find none.</summary>
    internal const int Attempts = 64;

    private const uint First = 1024;
    private const uint Count = 65536 - First;

    /// <summary>A port of the row, network byte order.</summary>
    /// <param name="seed">The keyed hash of the flow.</param>
    /// <param name="attempt">Its place in the row.</param>
    internal static ushort Candidate(ulong seed, int attempt)
    {
        // One round of a good mixer (splitmix64) a step: neighbouring steps lie anywhere.
        var x = seed + (ulong)(attempt + 1) * 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        x ^= x >> 31;
        return BinaryPrimitives.ReverseEndianness((ushort)(First + (uint)(x % Count)));
    }
}
