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
        var resolvers = Read("bannedResolvers", policy.BannedResolvers, 32, PolicyRules.MaxResolverIpv6Length, out var tooFine);
        if (tooFine > 0)
            warn($"{policy.BannedResolvers}: {tooFine} entries are finer than /{PolicyRules.MaxResolverIpv6Length}, which a cookie cannot tell; they are left out");
        var ecsNetworks = Read("bannedResolvers", policy.BannedResolvers, PolicyRules.MaxEcsIpv4Length, PolicyRules.MaxResolverIpv6Length, out _);
        return new(policy.Observe, resolvers, ecsNetworks, Read("bannedClients", policy.BannedClients, 32, 128, out _));
    }

    private static PrefixList Read(string key, string? path, int maxIpv4Length, int maxIpv6Length, out int tooFine)
    {
        tooFine = 0;
        if (path is null)
            return PrefixList.Empty;
        if (!File.Exists(path))
            throw new InvalidDataException($"policy.{key}: there is no file {path}: make it, empty if nobody is banned, or leave the key out");
        return PrefixList.Parse(path, File.ReadAllBytes(path), maxIpv4Length, maxIpv6Length, out tooFine);
    }
}
