using System.Net;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;

namespace CookieXdp.Dataplane;

/// <summary>What the path must know of one of its interfaces.</summary>
public sealed class SideRules
{
    /// <summary>Describes an interface.</summary>
    /// <param name="mac">Its hardware address: frames to another one are dropped.</param>
    /// <param name="mtu">The largest IPv6 packet that it takes, in bytes; 1280 at least.</param>
    /// <param name="address">The address that ICMPv6 errors leave from; null where there is none: then none are sent.</param>
    public SideRules(PhysicalAddress mac, int mtu, IPAddress? address)
    {
        ArgumentNullException.ThrowIfNull(mac);
        ArgumentOutOfRangeException.ThrowIfLessThan(mtu, HeaderLayout.Ipv6MinMtu);
        mac.GetAddressBytes().CopyTo(Mac, 0);
        OwnMac = MemoryMarshal.Read<ulong>([.. Mac, 0, 0]);
        Mtu = mtu;
        Address = address?.GetAddressBytes() ?? [];
    }

    /// <summary>The largest IPv6 packet that the interface takes, in bytes.</summary>
    public int Mtu { get; }

    /// <summary>The interface's hardware address, 6 bytes.</summary>
    internal byte[] Mac { get; } = new byte[HeaderLayout.MacLength];

    /// <summary>The same as one number, two zeros behind it, for <see cref="FrameParser.IsMac"/>.</summary>
    internal ulong OwnMac { get; }

    /// <summary>The source of ICMPv6 errors, 16 bytes; empty where there is none.</summary>
    internal byte[] Address { get; }
}
