using System.Runtime.Intrinsics;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies;

/// <summary>One epoch key of one prefix, ready for use: between a cookie in the clear and the 80 low bits of its address.</summary>
public sealed unsafe class EpochCipher
{
    private const byte FormatVersion = 1;

    /// <summary>Prepares an epoch key.</summary>
    /// <param name="prefix">The prefix, which goes into the tweak.</param>
    /// <param name="epoch">The UTC day that the key is for.</param>
    /// <param name="key">The epoch key, 16 bytes.</param>
    public EpochCipher(CookiePrefix prefix, long epoch, ReadOnlySpan<byte> key)
    {
        Span<byte> tweak = stackalloc byte[Ff1Key.TweakLength];
        prefix.CopyTo(tweak);
        tweak[CookiePrefix.ByteLength] = FormatVersion;
        Key = new Ff1Key(key, tweak, 2 * CookieBits.HalfBits);
        Prefix = prefix;
        Epoch = epoch;
    }

    /// <summary>The prefix.</summary>
    public CookiePrefix Prefix { get; }

    /// <summary>The UTC day that the key is for.</summary>
    public long Epoch { get; }

    internal Ff1Key Key { get; }

    /// <summary>Writes the address of a cookie.</summary>
    /// <param name="cookie">What it shall say; its epoch must be <see cref="Epoch"/>.</param>
    /// <param name="address">Receives 16 bytes, network byte order.</param>
    /// <exception cref="ArgumentOutOfRangeException">A field does not fit the format.</exception>
    public void Mint(in Cookie cookie, Span<byte> address)
    {
        if (cookie.Epoch != Epoch || (uint)cookie.Service > Cookie.MaxService || (uint)cookie.Tick >= CookieTime.TicksPerEpoch)
            throw new ArgumentOutOfRangeException(nameof(cookie), cookie, $"epoch {Epoch}, service 0–15, tick below 1350");
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var keys = stackalloc Vector128<byte>*[Ff1Form.Keys];
        CookieBits.Pack(cookie, out var left, out var right);
        halves[0] = Vector128.Create(left, right);
        Ff1Forms.Chosen.Fill(keys, 1, Key.Pointer);
        Ff1Forms.Chosen.Encrypt(halves, keys, 1, CookieBits.HalfMask);
        GC.KeepAlive(Key);
        Prefix.CopyTo(address);
        CookieBits.WriteAddress(address[CookiePrefix.ByteLength..16], Epoch, halves[0][0], halves[0][1]);
    }

    /// <summary>
    /// Opens an address whose two clear bits name this epoch. False where it was not minted with this key; whether it is too far in
    /// the future is the caller's to judge.
    /// </summary>
    /// <param name="address">16 bytes, network byte order, in <see cref="Prefix"/>.</param>
    /// <param name="cookie">What it says.</param>
    public bool TryOpen(ReadOnlySpan<byte> address, out Cookie cookie)
    {
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var keys = stackalloc Vector128<byte>*[Ff1Form.Keys];
        CookieBits.ReadAddress(address[CookiePrefix.ByteLength..16], out var epochMod4, out var left, out var right);
        halves[0] = Vector128.Create(left, right);
        Ff1Forms.Chosen.Fill(keys, 1, Key.Pointer);
        Ff1Forms.Chosen.Decrypt(halves, keys, 1, CookieBits.HalfMask);
        GC.KeepAlive(Key);
        return CookieBits.TryUnpack(halves[0][0], halves[0][1], Epoch, out cookie) & epochMod4 == (int)(Epoch & 3);
    }
}
