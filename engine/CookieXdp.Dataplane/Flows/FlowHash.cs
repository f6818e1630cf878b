using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// The keyed hash of the flow table. Whoever knew it could send flows that all fall into one bucket, so it has secrets of 48 bytes that
/// stay in the flow file. The ports have a multiplication of their own: folded into an address, they could undo a change there.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct FlowHash
{
    /// <summary>Bytes of the secrets.</summary>
    internal const int Length = 6 * sizeof(ulong);

    private const ulong FromClient = 1UL << 32;
    private const ulong FromBackend = 2UL << 32;

    private readonly ulong _clientHigh;
    private readonly ulong _clientLow;
    private readonly ulong _nearHigh;
    private readonly ulong _nearLow;
    private readonly ulong _ports;
    private readonly ulong _fold;

    /// <summary>With new secrets.</summary>
    internal static FlowHash Create()
    {
        var hash = default(FlowHash);
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(new Span<FlowHash>(ref hash)));
        return hash;
    }

    /// <summary>With the secrets of a file.</summary>
    internal static FlowHash Read(ReadOnlySpan<byte> secrets) => MemoryMarshal.Read<FlowHash>(secrets);

    /// <summary>Keeps the secrets.</summary>
    internal void Write(Span<byte> secrets) => MemoryMarshal.Write(secrets, in this);

    /// <summary>Of a frame from a client.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong OfClient(in FlowKey key) => Of(key, FromClient);

    /// <summary>Of a frame from a backend.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong OfBackend(in FlowKey key) => Of(key, FromBackend);

    /// <summary>The seal of an entry: what nobody writes by chance, nor without the secrets.</summary>
    /// <returns>24 bits.</returns>
    internal uint SealOf(in Flow flow)
    {
        var mixed = Fold(OfClient(flow.ClientKey) ^ flow.ForwardDelta, OfBackend(flow.BackendKey) ^ _fold);
        return (uint)(mixed >> 40);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Of(in FlowKey key, ulong direction)
    {
        var client = Fold(key.ClientHigh ^ _clientHigh, key.ClientLow ^ _clientLow);
        var near = Fold(key.NearHigh ^ _nearHigh, key.NearLow ^ _nearLow);
        return Fold(client ^ key.Ports ^ direction ^ _ports, near ^ _fold);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong left, ulong right)
    {
        var high = Math.BigMul(left, right, out var low);
        return high ^ low;
    }
}
