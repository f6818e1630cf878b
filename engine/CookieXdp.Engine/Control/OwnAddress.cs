using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace CookieXdp.Engine.Control;

/// <summary>The address that this host is known by on one of its interfaces: what it sends ICMPv6 errors from.</summary>
internal static class OwnAddress
{
    /// <summary>A global or unique local address of an interface; where it has none, one of another interface, as the kernel would take.</summary>
    /// <returns>Null where the host has none at all.</returns>
    internal static IPAddress? Find(string device)
    {
        var interfaces = NetworkInterface.GetAllNetworkInterfaces();
        return interfaces
            .OrderBy(candidate => candidate.Name == device ? 0 : 1)
            .SelectMany(candidate => candidate.GetIPProperties().UnicastAddresses)
            .Select(unicast => unicast.Address)
            .FirstOrDefault(IsUsable);
    }

    private static bool IsUsable(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv6LinkLocal && !address.IsIPv6Multicast && !IPAddress.IsLoopback(address)
        && !address.IsIPv4MappedToIPv6 && !address.Equals(IPAddress.IPv6Any);
}
