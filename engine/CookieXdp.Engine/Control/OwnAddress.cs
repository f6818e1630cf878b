using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace CookieXdp.Engine.Control;

/// <summary>The address that this host is known by on one of its interfaces: what it sends ICMPv6 errors from.</summary>
internal static class OwnAddress
{
    /// <summary>An address of an interface; where it has none, one of another interface, as the kernel would take.</summary>
    /// <param name="device">The interface's name.</param>
    /// <param name="facesInternet">Whether any global address is better than a unique local one, which many networks let no packet in from.</param>
    /// <returns>Null where the host has none at all.</returns>
    internal static IPAddress? Find(string device, bool facesInternet) => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(candidate => candidate.GetIPProperties().UnicastAddresses.Select(unicast => (unicast.Address, IsElsewhere: candidate.Name != device)))
        .Where(candidate => IsUsable(candidate.Address))
        .OrderBy(candidate => (facesInternet && candidate.Address.IsIPv6UniqueLocal, candidate.IsElsewhere))
        .Select(candidate => candidate.Address)
        .FirstOrDefault();

    private static bool IsUsable(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv6LinkLocal && !address.IsIPv6Multicast && !IPAddress.IsLoopback(address)
        && !address.IsIPv4MappedToIPv6 && !address.Equals(IPAddress.IPv6Any);
}
