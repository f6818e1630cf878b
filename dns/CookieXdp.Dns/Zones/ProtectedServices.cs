using CookieXdp.Cookies;
using CookieXdp.Hosting;

namespace CookieXdp.Dns.Zones;

/// <summary>A service whose addresses are minted.</summary>
/// <param name="PrefixIndex">Which of the configured prefixes it is of.</param>
/// <param name="Id">0–15, as in the cookie.</param>
/// <param name="Name">For logs and metrics.</param>
/// <param name="MintEvery">Seconds of a mint interval.</param>
/// <param name="FreshFor">Seconds that a cookie is fresh.</param>
internal sealed record MintedService(int PrefixIndex, int Id, string Name, int MintEvery, long FreshFor)
{
    /// <summary>Services that there can be for each prefix.</summary>
    internal const int PerPrefix = Cookie.MaxService + 1;

    /// <summary>A number of its own among all services.</summary>
    internal int Index => PrefixIndex * PerPrefix + Id;
}

/// <summary>The configured prefixes and services, as zones ask for them.</summary>
internal sealed class ProtectedServices
{
    private readonly MintedService?[] _services;

    /// <summary>From the configuration.</summary>
    internal ProtectedServices(IReadOnlyList<PrefixSettings> prefixes)
    {
        Prefixes = [.. prefixes.Select(prefix => prefix.Prefix)];
        _services = new MintedService?[prefixes.Count * MintedService.PerPrefix];
        for (var index = 0; index < prefixes.Count; index++)
        {
            foreach (var service in prefixes[index].Services)
            {
                var minted = new MintedService(index, service.Id, service.Name, service.MintEvery, service.FreshFor);
                _services[minted.Index] = minted;
            }
        }
    }

    /// <summary>The prefixes, in the configuration's order.</summary>
    internal IReadOnlyList<CookiePrefix> Prefixes { get; }

    /// <summary>The services at their <see cref="MintedService.Index"/>, null where an id is not used.</summary>
    internal IReadOnlyList<MintedService?> ByIndex => _services;

    /// <summary>Which prefix an address of 16 bytes lies in, or −1.</summary>
    internal int PrefixOf(ReadOnlySpan<byte> address)
    {
        for (var index = 0; index < Prefixes.Count; index++)
        {
            if (Prefixes[index].Contains(address))
                return index;
        }
        return -1;
    }

    /// <summary>Whether an address is a template (prefix ‖ 76 zero bits ‖ service), and whose.</summary>
    /// <param name="address">16 bytes, network byte order.</param>
    /// <param name="service">The service, or null where the address is no template or its service is not configured.</param>
    internal bool IsTemplate(ReadOnlySpan<byte> address, out MintedService? service)
    {
        service = null;
        var prefix = PrefixOf(address);
        if (prefix < 0 || address[CookiePrefix.ByteLength..15].ContainsAnyExcept((byte)0) || address[15] > Cookie.MaxService)
            return false;
        service = _services[prefix * MintedService.PerPrefix + address[15]];
        return true;
    }
}
