using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// One admitted connection and its two rewrites, as it stands in the flow file: three cache lines. The first is written once, before the
/// word that publishes it; the other two are what each direction writes, so that two workers do not fight over one.
/// All addresses and ports in network byte order as read from memory; no pointer, so that any process can map it anywhere.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Length)]
internal unsafe struct Flow
{
    /// <summary>Bytes of an entry.</summary>
    internal const int Length = 3 * 64;

    /// <summary>In place of a <see cref="FlowState"/>: taken, and not yet wholly written.</summary>
    internal const byte Writing = 0xFF;

    [FieldOffset(0)]
    internal ulong ClientHigh;

    [FieldOffset(8)]
    internal ulong ClientLow;

    [FieldOffset(16)]
    internal ulong CookieHigh;

    [FieldOffset(24)]
    internal ulong CookieLow;

    [FieldOffset(32)]
    internal ulong BackendHigh;

    [FieldOffset(40)]
    internal ulong BackendLow;

    /// <summary>Ports as the client knows them: its own in the low half, the cookie's in the high half.</summary>
    [FieldOffset(48)]
    internal uint ClientPorts;

    /// <summary>Ports as the backend knows them: the client's, perhaps another one than its own, and the backend's.</summary>
    [FieldOffset(52)]
    internal uint BackendPorts;

    /// <summary>What the rewrite towards the backend adds to the TCP checksum (RFC 1624); the way back has its complement.</summary>
    [FieldOffset(56)]
    internal ushort ForwardDelta;

    /// <summary>Where the backend stood in the snapshot when it was last looked for: a hint, compared with the address before it is believed.</summary>
    [FieldOffset(58)]
    internal ushort BackendHint;

    /// <summary>The state in the low byte, above it the seal: 24 bits that follow from the identity and the file's secret.</summary>
    [FieldOffset(60)]
    internal uint Word;

    /// <summary>What the client's segments have shown.</summary>
    [FieldOffset(64)]
    internal FlowSide Client;

    /// <summary>What the backend's segments have shown.</summary>
    [FieldOffset(128)]
    internal FlowSide Backend;

    /// <summary>The state; acquires what was written before it was published.</summary>
    internal FlowState State
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (FlowState)(byte)Volatile.Read(ref Word);
    }

    /// <summary>Addresses and ports of a frame from its client.</summary>
    internal readonly FlowKey ClientKey => new(ClientHigh, ClientLow, CookieHigh, CookieLow, ClientPorts);

    /// <summary>Addresses and ports of a frame from its backend.</summary>
    internal readonly FlowKey BackendKey => new(ClientHigh, ClientLow, BackendHigh, BackendLow, BackendPorts);

    /// <summary>When a frame of it last passed, in seconds; up to <see cref="FlowTimes.Granularity"/> too early.</summary>
    internal readonly uint LastSeen => (int)(Client.LastSeen - Backend.LastSeen) >= 0 ? Client.LastSeen : Backend.LastSeen;

    /// <summary>Whether a frame from a client is this flow's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly bool IsOfClient(in FlowKey key) =>
        ((ClientHigh ^ key.ClientHigh) | (ClientLow ^ key.ClientLow) | (CookieHigh ^ key.NearHigh) | (CookieLow ^ key.NearLow) | (ClientPorts ^ key.Ports)) == 0;

    /// <summary>Whether a frame from a backend is this flow's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal readonly bool IsOfBackend(in FlowKey key) =>
        ((ClientHigh ^ key.ClientHigh) | (ClientLow ^ key.ClientLow) | (BackendHigh ^ key.NearHigh) | (BackendLow ^ key.NearLow) | (BackendPorts ^ key.Ports)) == 0;

    /// <summary>Publishes a state, with all that was written before.</summary>
    internal void Publish(FlowState state, uint seal) => Volatile.Write(ref Word, seal << 8 | (byte)state);
}

/// <summary>What one direction's segments have shown: a cache line that only this direction's worker writes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct FlowSide
{
    /// <summary>When a segment of this side last passed: seconds, written anew only after <see cref="FlowTimes.Granularity"/>.</summary>
    [FieldOffset(0)]
    internal uint LastSeen;

    [FieldOffset(4)]
    internal FlowMarks Marks;

    /// <summary>The sequence number that follows what this side has sent in order.</summary>
    [FieldOffset(8)]
    internal uint Next;

    /// <summary>What this side has acknowledged last: the next byte that it expects (RCV.NXT).</summary>
    [FieldOffset(12)]
    internal uint Acknowledged;

    /// <summary>The sequence number of its SYN.</summary>
    [FieldOffset(16)]
    internal uint InitialSequence;
}

/// <summary>What has been seen of a side.</summary>
[Flags]
internal enum FlowMarks : uint
{
    None = 0,

    /// <summary><see cref="FlowSide.Next"/> counts.</summary>
    SequenceKnown = 1,

    /// <summary><see cref="FlowSide.Acknowledged"/> counts.</summary>
    AcknowledgedKnown = 2,

    /// <summary>It has sent its FIN.</summary>
    Fin = 4,

    /// <summary>On the client's side: the flow was lost and rebuilt from its cookie, and no SYN of it was seen.</summary>
    Rebuilt = 8,

    All = SequenceKnown | AcknowledgedKnown | Fin | Rebuilt,
}
