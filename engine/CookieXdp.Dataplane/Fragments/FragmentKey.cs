using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>What the fragments of one packet have in common (RFC 8200, section 4.5), as it stands in memory, and the side they came in on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct FragmentKey
{
    private readonly ulong _sourceHigh;
    private readonly ulong _sourceLow;
    private readonly ulong _destinationHigh;
    private readonly ulong _destinationLow;
    private readonly uint _identification;
    private readonly Side _side;

    /// <summary>Of a frame that the parser has found to be a fragment; its addresses still as they came.</summary>
    internal FragmentKey(ref Frame frame, Side from)
    {
        var source = frame.Ip + HeaderLayout.Ipv6SourceOffset;
        var destination = frame.Ip + HeaderLayout.Ipv6DestinationOffset;
        _sourceHigh = Unsafe.ReadUnaligned<ulong>(source);
        _sourceLow = Unsafe.ReadUnaligned<ulong>(source + 8);
        _destinationHigh = Unsafe.ReadUnaligned<ulong>(destination);
        _destinationLow = Unsafe.ReadUnaligned<ulong>(destination + 8);
        _identification = Unsafe.ReadUnaligned<uint>(frame.Data + frame.FragmentOffset + HeaderLayout.FragmentIdentificationOffset);
        _side = from;
    }

    internal bool Matches(in FragmentKey other) =>
        ((_sourceHigh ^ other._sourceHigh) | (_sourceLow ^ other._sourceLow) | (_destinationHigh ^ other._destinationHigh) | (_destinationLow ^ other._destinationLow)
            | (_identification ^ other._identification) | (uint)(_side ^ other._side)) == 0;

    internal ulong Hash(KeyedHash hash) =>
        hash.Mix(hash.Mix(_sourceHigh, _sourceLow) ^ _identification, hash.Mix(_destinationHigh, _destinationLow));
}
