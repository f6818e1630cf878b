using System.Runtime.CompilerServices;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane;

/// <summary>
/// The two rewrites of nat mode: the cookie's address and port become the backend's, and back; the client's port, too, where it has another
/// one towards the backend. What the change does to the TCP checksum is the same for every segment of a flow, so it is computed once (RFC 1624).
/// </summary>
internal static unsafe class Rewriter
{
    /// <summary>What rewriting from the client's view to the backend's adds to a checksum.</summary>
    internal static ushort DeltaOf(in FlowKey client, in FlowKey backend) =>
        InternetChecksum.Delta(SumOf(client), SumOf(backend));

    /// <summary>Sends a client's segment on to the backend.</summary>
    internal static void ToBackend(ref Frame frame, Flow* flow, NextHop nextHop)
    {
        var ip = frame.Data + frame.NetworkOffset;
        ip[HeaderLayout.Ipv6HopLimitOffset]--;
        var tcp = frame.Data + frame.TransportOffset;
        WriteAddress(ip + HeaderLayout.Ipv6DestinationOffset, flow->BackendHigh, flow->BackendLow);
        Unsafe.WriteUnaligned(tcp + HeaderLayout.TcpSourcePortOffset, flow->BackendPorts);
        InternetChecksum.Apply(tcp + HeaderLayout.TcpChecksumOffset, flow->ForwardDelta);
        Framing.Write(ref frame, nextHop);
    }

    /// <summary>Sends a backend's segment back to the client, under the address that the client knows.</summary>
    internal static void ToClient(ref Frame frame, Flow* flow, NextHop nextHop)
    {
        var ip = frame.Data + frame.NetworkOffset;
        ip[HeaderLayout.Ipv6HopLimitOffset]--;
        var tcp = frame.Data + frame.TransportOffset;
        WriteAddress(ip + HeaderLayout.Ipv6SourceOffset, flow->CookieHigh, flow->CookieLow);
        // A flow's pair of ports has the client's first, and here that is the destination.
        Unsafe.WriteUnaligned(tcp + HeaderLayout.TcpSourcePortOffset, uint.RotateLeft(flow->ClientPorts, 16));
        InternetChecksum.Apply(tcp + HeaderLayout.TcpChecksumOffset, (ushort)~flow->ForwardDelta);
        Framing.Write(ref frame, nextHop);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteAddress(byte* address, ulong high, ulong low)
    {
        Unsafe.WriteUnaligned(address, high);
        Unsafe.WriteUnaligned(address + 8, low);
    }

    private static ushort SumOf(in FlowKey key)
    {
        var address = stackalloc ulong[2];
        address[0] = key.NearHigh;
        address[1] = key.NearLow;
        return InternetChecksum.Fold(InternetChecksum.SumAddress((byte*)address) + key.NearPort + key.ClientPort);
    }
}
