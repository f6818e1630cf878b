namespace CookieXdp.Cookies;

/// <summary>
/// The keys of one prefix: for each epoch the one that mints, and during a rotation of the master a second that only opens.
/// Immutable, so any number of threads may use one; nothing here allocates after construction.
/// </summary>
public sealed class PrefixKeys
{
    /// <summary>Epochs that a keyring holds keys for: now−2 … now+1.</summary>
    public const int EpochCount = 4;

    /// <summary>Master secrets that may be in use at once: the active one, the one before it and the one after.</summary>
    public const int MasterCount = 3;

    // [master, epoch mod 4]: the two clear bits of an address name the slot.
    private readonly EpochCipher?[] _ciphers = new EpochCipher?[MasterCount * EpochCount];
    private readonly int _masters;

    /// <summary>From the ciphers of up to <see cref="MasterCount"/> masters, the active one first.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="ciphersByMaster">For each master its epochs' ciphers, no two of equal epoch mod 4.</param>
    /// <exception cref="ArgumentException">A cipher is of another prefix, or two of one master fall on one slot.</exception>
    public PrefixKeys(CookiePrefix prefix, IReadOnlyList<IReadOnlyList<EpochCipher>> ciphersByMaster)
    {
        ArgumentNullException.ThrowIfNull(ciphersByMaster);
        if (ciphersByMaster.Count is 0 or > MasterCount)
            throw new ArgumentException($"one to {MasterCount} masters, not {ciphersByMaster.Count}", nameof(ciphersByMaster));
        Prefix = prefix;
        _masters = ciphersByMaster.Count;
        for (var master = 0; master < _masters; master++)
        {
            foreach (var cipher in ciphersByMaster[master])
            {
                ref var slot = ref _ciphers[master * EpochCount + (int)(cipher.Epoch & 3)];
                if (slot is not null || cipher.Prefix != prefix)
                    throw new ArgumentException($"epoch {cipher.Epoch} of {cipher.Prefix} has no slot of its own in the keys of {prefix}", nameof(ciphersByMaster));
                slot = cipher;
            }
        }
    }

    /// <summary>The prefix that these keys are of.</summary>
    public CookiePrefix Prefix { get; }

    /// <summary>Derives the keys that a keyring would hold at a time: one master, epochs now−2 … now+1 (none before 1970).</summary>
    public static PrefixKeys Derive(MasterSecret master, CookiePrefix prefix, long unixSeconds)
    {
        ArgumentNullException.ThrowIfNull(master);
        var today = CookieTime.EpochOf(unixSeconds);
        var ciphers = new List<EpochCipher>(EpochCount);
        Span<byte> key = stackalloc byte[MasterSecret.KeyLength];
        for (var epoch = Math.Max(0, today - 2); epoch <= today + 1; epoch++)
        {
            master.DeriveEpochKey(prefix, epoch, key);
            ciphers.Add(new EpochCipher(prefix, epoch, key));
        }
        System.Security.Cryptography.CryptographicOperations.ZeroMemory(key);
        return new(prefix, [ciphers]);
    }

    /// <summary>Whether there is a key to mint with at a time.</summary>
    public bool CanMint(long unixSeconds) => ActiveCipher(CookieTime.EpochOf(unixSeconds)) is not null;

    /// <summary>Mints the address that says: this resolver asked for this service at this time.</summary>
    /// <param name="resolver">The network of who asked.</param>
    /// <param name="unixSeconds">The time of which the tick is kept; a server passes <see cref="CookieTime.IntervalStart"/>.</param>
    /// <param name="service">0–15.</param>
    /// <param name="verified">Whether the query came by TCP or with a valid DNS cookie.</param>
    /// <param name="ecs">Whether the network came from EDNS Client Subnet.</param>
    /// <param name="address">Receives 16 bytes, network byte order.</param>
    /// <returns>False, and nothing written, where the keys do not reach to that time.</returns>
    public bool TryMint(ResolverNetwork resolver, long unixSeconds, int service, bool verified, bool ecs, Span<byte> address)
    {
        var epoch = CookieTime.EpochOf(unixSeconds);
        if (ActiveCipher(epoch) is not { } cipher)
            return false;
        cipher.Mint(new Cookie(resolver, epoch, CookieTime.TickOf(unixSeconds), service, verified, ecs), address);
        return true;
    }

    /// <summary>
    /// Opens an address with the key of whichever of epochs now+1 … now−2 its two clear bits name. False where it is not
    /// genuine: of another prefix, not minted with these keys, or more than 128 s in the future.
    /// </summary>
    /// <param name="address">16 bytes, network byte order.</param>
    /// <param name="unixSeconds">The time now.</param>
    /// <param name="cookie">What it says; meaningless where false is returned.</param>
    public bool TryOpen(ReadOnlySpan<byte> address, long unixSeconds, out Cookie cookie)
    {
        cookie = default;
        if (!Prefix.Contains(address))
            return false;
        var today = CookieTime.EpochOf(unixSeconds);
        var slot = address[CookiePrefix.ByteLength] >> 6;
        for (var master = 0; master < _masters; master++)
        {
            // A keyring that the keeper has ceased to renew may hold epochs that are no longer of the four.
            if (_ciphers[master * EpochCount + slot] is { } cipher && cipher.Epoch >= today - 2 && cipher.Epoch <= today + 1
                && cipher.TryOpen(address, out cookie) && cookie.AgeAt(unixSeconds) >= -CookieTime.FutureTolerance)
                return true;
        }
        return false;
    }

    private EpochCipher? ActiveCipher(long epoch) => _ciphers[(int)(epoch & 3)] is { } cipher && cipher.Epoch == epoch ? cipher : null;
}
