using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies;

/// <summary>
/// The keys of one prefix: for each epoch the one that mints, and during a rotation of the master those of others that only open.
/// Immutable, so any number of threads may use one; nothing here allocates after construction.
/// </summary>
public sealed class PrefixKeys
{
    /// <summary>Epochs that a keyring holds keys for: now−2 … now+1.</summary>
    public const int EpochCount = 4;

    /// <summary>Master secrets that may be in use at once: the active one, the one before it and the one after.</summary>
    public const int MasterCount = 3;

    /// <summary>Stands where an epoch has no key, so that every lane of a batch has one; what it opens counts as false.</summary>
    private static readonly Ff1Key _substitute = new(new byte[16], new byte[Ff1Key.TweakLength], 2 * CookieBits.HalfBits);

    // [master, epoch mod 4]: the two clear bits of an address name the slot.
    private readonly EpochCipher?[] _ciphers = new EpochCipher?[MasterCount * EpochCount];
    private readonly CookieBatch.Slot[] _slots = new CookieBatch.Slot[MasterCount * EpochCount];
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
        for (var master = 0; master < ciphersByMaster.Count; master++)
        {
            foreach (var cipher in ciphersByMaster[master])
            {
                ref var slot = ref _ciphers[master * EpochCount + (int)(cipher.Epoch & 3)];
                if (slot is not null || cipher.Prefix != prefix)
                    throw new ArgumentException($"epoch {cipher.Epoch} of {cipher.Prefix} has no slot of its own in the keys of {prefix}", nameof(ciphersByMaster));
                slot = cipher;
                _masters = master + 1;
            }
        }
        for (var slot = 0; slot < _slots.Length; slot++)
            _slots[slot] = SlotOf(_ciphers[slot]);
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

    /// <summary>Opens many addresses, each as <see cref="TryOpen"/> would. Allocates nothing.</summary>
    /// <param name="addresses">16 bytes each, network byte order.</param>
    /// <param name="unixSeconds">The time now; from 2106 on (2^32) nothing is genuine any more.</param>
    /// <param name="cookies">Receives what they say; not shorter than <paramref name="addresses"/>.</param>
    public void Open(ReadOnlySpan<Vector128<byte>> addresses, long unixSeconds, Span<OpenedCookie> cookies) => Open(Ff1Forms.Chosen, addresses, unixSeconds, cookies);

    /// <summary>Mints many addresses, each as the one for a single cookie would. Allocates nothing.</summary>
    /// <param name="orders">What they shall say.</param>
    /// <param name="addresses">Receives 16 bytes each, network byte order; not shorter than <paramref name="orders"/>.</param>
    /// <returns>False where the keys do not reach to the time of every order; then none of the addresses is to be used.</returns>
    public bool TryMint(ReadOnlySpan<MintOrder> orders, Span<Vector128<byte>> addresses) => TryMint(Ff1Forms.Chosen, orders, addresses);

    internal unsafe void Open(Ff1Form form, ReadOnlySpan<Vector128<byte>> addresses, long unixSeconds, Span<OpenedCookie> cookies)
    {
        if (cookies.Length < addresses.Length)
            throw new ArgumentException($"room for {cookies.Length}, of {addresses.Length} addresses", nameof(cookies));
        // Before the first second nothing can have been minted.
        if (unixSeconds < -CookieTime.FutureTolerance)
        {
            cookies[..addresses.Length].Clear();
            return;
        }
        var earliest = (ulong)Math.Max(0, CookieTime.EpochOf(unixSeconds) - 2) * CookieTime.EpochSeconds;
        var bounds = new CookieBatch.Bounds(
            BinaryPrimitives.ReverseEndianness(Prefix.Bits << 16),
            (ulong)Math.Clamp(unixSeconds + CookieTime.FutureTolerance, 0, CookieBatch.Slot.NoEpoch - 1));
        var slots = stackalloc CookieBatch.Slot[EpochCount];
        fixed (Vector128<byte>* from = addresses)
        fixed (OpenedCookie* to = cookies)
        {
            Believed(0, earliest, slots);
            for (var first = 0; first < addresses.Length; first += CookieBatch.Piece)
                CookieBatch.Open(form, from + first, Math.Min(CookieBatch.Piece, addresses.Length - first), slots, bounds, to + first);
            // During a rotation of the master: what the active one did not open, one of the others may.
            for (var master = 1; master < _masters; master++)
            {
                Believed(master, earliest, slots);
                OpenOthers(form, from, addresses.Length, slots, bounds, to);
            }
        }
        GC.KeepAlive(this);
    }

    internal unsafe bool TryMint(Ff1Form form, ReadOnlySpan<MintOrder> orders, Span<Vector128<byte>> addresses)
    {
        if (addresses.Length < orders.Length)
            throw new ArgumentException($"room for {addresses.Length}, of {orders.Length} orders", nameof(addresses));
        var usable = true;
        fixed (MintOrder* from = orders)
        fixed (Vector128<byte>* to = addresses)
        fixed (CookieBatch.Slot* slots = _slots)
        {
            for (var first = 0; first < orders.Length; first += CookieBatch.Piece)
                usable &= CookieBatch.TryMint(form, from + first, Math.Min(CookieBatch.Piece, orders.Length - first), slots, Prefix.Bits, to + first);
        }
        GC.KeepAlive(this);
        return usable;
    }

    /// <summary>Opens what is of this prefix and has not been found genuine, gathered into pieces.</summary>
    private static unsafe void OpenOthers(Ff1Form form, Vector128<byte>* addresses, int count, CookieBatch.Slot* slots, in CookieBatch.Bounds bounds, OpenedCookie* cookies)
    {
        var gathered = stackalloc Vector128<byte>[CookieBatch.Piece];
        var opened = stackalloc OpenedCookie[CookieBatch.Piece];
        var places = stackalloc int[CookieBatch.Piece];
        for (var next = 0; next < count;)
        {
            var some = 0;
            for (; next < count && some < CookieBatch.Piece; next++)
            {
                gathered[some] = addresses[next];
                places[some] = next;
                some += cookies[next].IsGenuine || CookiePacking.IsForeign(addresses + next, bounds) ? 0 : 1;
            }
            if (some == 0)
                return;
            CookieBatch.Open(form, gathered, some, slots, bounds, opened);
            for (var i = 0; i < some; i++)
                cookies[places[i]] = opened[i];
        }
    }

    /// <summary>A master's keys, without those of epochs that are no longer of the four: a keyring that the keeper has ceased to renew may hold such.</summary>
    private unsafe void Believed(int master, ulong earliest, CookieBatch.Slot* slots)
    {
        for (var epoch = 0; epoch < EpochCount; epoch++)
        {
            slots[epoch] = _slots[master * EpochCount + epoch];
            if (slots[epoch].EpochStart < earliest)
                slots[epoch].EpochStart = CookieBatch.Slot.NoEpoch;
        }
    }

    private static unsafe CookieBatch.Slot SlotOf(EpochCipher? cipher) => new()
    {
        Key = (cipher?.Key ?? _substitute).Pointer,
        EpochStart = cipher is null ? CookieBatch.Slot.NoEpoch : (uint)Math.Min((ulong)cipher.Epoch * CookieTime.EpochSeconds, CookieBatch.Slot.NoEpoch),
    };

    private EpochCipher? ActiveCipher(long epoch) => _ciphers[(int)(epoch & 3)] is { } cipher && cipher.Epoch == epoch ? cipher : null;
}
