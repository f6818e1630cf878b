using CookieXdp.Dataplane;
using CookieXdp.Hosting;

namespace CookieXdp.Engine.Control;

/// <summary>Reads the lists that the policy names.</summary>
internal static class PolicyFiles
{
    /// <summary>Reads them.</summary>
    /// <param name="policy">What the configuration says.</param>
    /// <param name="warn">Told of entries that are left out.</param>
    /// <exception cref="IOException">A list cannot be read.</exception>
    /// <exception cref="InvalidDataException">A list has lines that are no prefix.</exception>
    internal static PolicyRules Load(PolicySettings policy, Action<string> warn)
    {
        var resolvers = Read(policy.BannedResolvers, 32, PolicyRules.MaxResolverIpv6Length, out var tooFine);
        if (tooFine > 0)
            warn($"{policy.BannedResolvers}: {tooFine} entries are finer than /{PolicyRules.MaxResolverIpv6Length}, which a cookie cannot tell; they are left out");
        var ecsNetworks = Read(policy.BannedResolvers, PolicyRules.MaxEcsIpv4Length, PolicyRules.MaxResolverIpv6Length, out _);
        return new(policy.Observe, resolvers, ecsNetworks, Read(policy.BannedClients, 32, 128, out _));
    }

    private static PrefixList Read(string? path, int maxIpv4Length, int maxIpv6Length, out int tooFine)
    {
        tooFine = 0;
        return path is null ? PrefixList.Empty : PrefixList.Parse(path, File.ReadAllBytes(path), maxIpv4Length, maxIpv6Length, out tooFine);
    }
}
