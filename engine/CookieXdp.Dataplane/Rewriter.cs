using System.Runtime.CompilerServices;

namespace CookieXdp.Dataplane;

/// <summary>
/// The two rewrites of nat mode: the cookie's address and port become the backend's, and back. What the change does to the TCP
/// checksum is the same for every segment of a flow, so it is computed once (RFC 1624).
/// </summary>
internal static unsafe class Rewriter
{
    /// <summary>What rewriting the near address and port from the client's view to the backend's adds to a checksum.</summary>
    internal static ushort DeltaOf(in FlowKey client, in FlowKey backend) =>
        InternetChecksum.Delta(NearSum(client), NearSum(backend));

    /// <summary>Sends a client's segment on to the backend.</summary>
    internal static void ToBackend(ref Frame frame, Flow* flow, NextHop nextHop)
    {
        var ip = frame.Data + frame.NetworkOffset;
        ip[HeaderLayout.Ipv6HopLimitOffset]--;
        var tcp = frame.Data + frame.TransportOffset;
        WriteNear(ip + HeaderLayout.Ipv6DestinationOffset, tcp + HeaderLayout.TcpDestinationPortOffset, flow->Return);
        InternetChecksum.Apply(tcp + HeaderLayout.TcpChecksumOffset, flow->ForwardDelta);
        Framing.Write(ref frame, nextHop);
    }

    /// <summary>Sends a backend's segment back to the client, under the address that the client knows.</summary>
    internal static void ToClient(ref Frame frame, Flow* flow, NextHop nextHop)
    {
        var ip = frame.Data + frame.NetworkOffset;
        ip[HeaderLayout.Ipv6HopLimitOffset]--;
        var tcp = frame.Data + frame.TransportOffset;
        WriteNear(ip + HeaderLayout.Ipv6SourceOffset, tcp + HeaderLayout.TcpSourcePortOffset, flow->Client);
        InternetChecksum.Apply(tcp + HeaderLayout.TcpChecksumOffset, (ushort)~flow->ForwardDelta);
        Framing.Write(ref frame, nextHop);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteNear(byte* address, byte* port, in FlowKey key)
    {
        Unsafe.WriteUnaligned(address, key.NearHigh);
        Unsafe.WriteUnaligned(address + 8, key.NearLow);
        Unsafe.WriteUnaligned(port, key.NearPort);
    }

    private static ushort NearSum(in FlowKey key)
    {
        var address = stackalloc ulong[2];
        address[0] = key.NearHigh;
        address[1] = key.NearLow;
        return InternetChecksum.Fold(InternetChecksum.SumAddress((byte*)address) + key.NearPort);
    }
}
