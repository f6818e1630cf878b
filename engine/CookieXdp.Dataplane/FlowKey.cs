using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// One direction of a connection as a frame shows it: both addresses and both ports, each in network byte order as read from memory.
/// "Near" is the engine's side: the cookie's address towards clients, the backend's towards backends. "Client" is always the client.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct FlowKey : IEquatable<FlowKey>
{
    internal readonly ulong ClientHigh;
    internal readonly ulong ClientLow;
    internal readonly ulong NearHigh;
    internal readonly ulong NearLow;

    /// <summary>The client's port in the low half, the near one in the high half.</summary>
    internal readonly uint Ports;

    internal FlowKey(ulong clientHigh, ulong clientLow, ulong nearHigh, ulong nearLow, uint ports)
    {
        ClientHigh = clientHigh;
        ClientLow = clientLow;
        NearHigh = nearHigh;
        NearLow = nearLow;
        Ports = ports;
    }

    /// <summary>The client's port, network byte order.</summary>
    internal ushort ClientPort => (ushort)Ports;

    /// <summary>The port on the engine's side, network byte order.</summary>
    internal ushort NearPort => (ushort)(Ports >> 16);

    /// <summary>Of a frame from a client: its destination is the near one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe FlowKey FromClient(byte* ip, byte* tcp) => new(
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6SourceOffset),
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6SourceOffset + 8),
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6DestinationOffset),
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6DestinationOffset + 8),
        Unsafe.ReadUnaligned<uint>(tcp));

    /// <summary>Of a frame from a backend: its source is the near one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static unsafe FlowKey FromBackend(byte* ip, byte* tcp) => new(
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6DestinationOffset),
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6DestinationOffset + 8),
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6SourceOffset),
        Unsafe.ReadUnaligned<ulong>(ip + HeaderLayout.Ipv6SourceOffset + 8),
        uint.RotateLeft(Unsafe.ReadUnaligned<uint>(tcp), 16));

    /// <summary>The same client towards another near address and port.</summary>
    internal FlowKey Towards(in BackendAddress backend) =>
        new(ClientHigh, ClientLow, backend.High, backend.Low, ClientPort | (uint)backend.Port << 16);

    /// <summary>The same with another port of the client, in network byte order.</summary>
    internal FlowKey FromPort(ushort clientPort) => new(ClientHigh, ClientLow, NearHigh, NearLow, (uint)NearPort << 16 | clientPort);

    /// <inheritdoc/>
    public bool Equals(FlowKey other) =>
        ((ClientHigh ^ other.ClientHigh) | (ClientLow ^ other.ClientLow) | (NearHigh ^ other.NearHigh) | (NearLow ^ other.NearLow) | (Ports ^ other.Ports)) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is FlowKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(ClientHigh, ClientLow, NearHigh, NearLow, Ports);

    /// <summary>Whether two keys are equal.</summary>
    public static bool operator ==(FlowKey left, FlowKey right) => left.Equals(right);

    /// <summary>Whether two keys differ.</summary>
    public static bool operator !=(FlowKey left, FlowKey right) => !left.Equals(right);
}

/// <summary>A backend's address and port as they stand in headers: network byte order as read from memory.</summary>
/// <param name="High">The address's first eight bytes.</param>
/// <param name="Low">The address's last eight bytes.</param>
/// <param name="Port">The port.</param>
public readonly record struct BackendAddress(ulong High, ulong Low, ushort Port)
{
    /// <summary>From an address of 16 bytes in network byte order and a port.</summary>
    public static BackendAddress From(ReadOnlySpan<byte> address, int port) => new(
        MemoryMarshal.Read<ulong>(address), MemoryMarshal.Read<ulong>(address[8..]), System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)port));
}
