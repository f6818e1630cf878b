using CookieXdp.Cookies;

namespace CookieXdp.Dns.Answers;

/// <summary>The keys that mint, by prefix: one pointer that a new keyring swaps.</summary>
internal sealed class MintingKeys(IReadOnlyList<CookiePrefix> prefixes)
{
    private volatile PrefixKeys?[] _byPrefix = new PrefixKeys?[prefixes.Count];

    /// <summary>Takes the keys of a keyring into use; a prefix that it does not have has no keys then.</summary>
    internal void Use(Keyring keyring) => _byPrefix = [.. prefixes.Select(keyring.KeysOf)];

    /// <summary>The keys of a prefix by its index, or null where there are none.</summary>
    internal PrefixKeys? Of(int prefixIndex) => _byPrefix[prefixIndex];
}
