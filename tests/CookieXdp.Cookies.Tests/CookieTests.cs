using System.Net;
using CsCheck;

namespace CookieXdp.Cookies.Tests;

/// <summary>What a cookie carries, when it is genuine, and when it is not.</summary>
public sealed class CookieTests
{
    private const long Noon = 1_700_000_000 / 86400 * 86400 + 43200;

    private static readonly PrefixKeys _keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Noon);

    private static readonly Gen<ResolverNetwork> _networks = Gen.OneOf(
        Gen.UInt.Select(ResolverNetwork.FromIpv4),
        Gen.ULong.Select(bits => { ResolverNetwork.TryFromBits(isIpv6: true, bits, out var network); return network; }),
        Gen.Const(ResolverNetwork.Unknown));

    [Fact]
    public void Whatever_is_minted_opens_to_the_same() =>
        Gen.Select(_networks, Gen.Long[Noon - 2 * 86400, Noon + 128], Gen.Int[0, 15], Gen.Bool, Gen.Bool).Sample((network, at, service, verified, ecs) =>
        {
            Span<byte> address = stackalloc byte[16];
            Assert.True(_keys.TryMint(network, at, service, verified, ecs, address));
            Assert.True(_keys.TryOpen(address, Noon, out var cookie));
            Assert.Equal((network, service, verified, ecs), (cookie.Resolver, cookie.Service, cookie.Verified, cookie.Ecs));
            Assert.InRange(at - cookie.MintedAt, 0, 63);
        }, iter: 100_000);

    [Fact]
    public void Every_single_changed_bit_makes_it_false()
    {
        // A changed bit opens to random plaintext, which passes as well-formed about once in 1.6 million: with 78 bits of 200
        // cookies a chance of about 1 %, were the keys and cookies not fixed; they are, so the outcome is too.
        Span<byte> address = stackalloc byte[16];
        for (var n = 0; n < 200; n++)
        {
            _keys.TryMint(ResolverNetwork.FromIpv4((uint)n * 7919), Noon - n * 64, n & 15, verified: true, ecs: false, address);
            for (var bit = 48; bit < 128; bit++)
            {
                address[bit / 8] ^= (byte)(0x80 >> (bit % 8));
                Assert.False(_keys.TryOpen(address, Noon, out _), $"cookie {n}, bit {bit}");
                address[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            }
        }
    }

    [Theory]
    [InlineData(-128, true)] // minted 128 s from now: clocks differ by so much
    [InlineData(-192, false)]
    [InlineData(0, true)]
    [InlineData(47 * 3600, true)]
    public void It_is_genuine_up_to_two_minutes_in_the_future(int age, bool genuine)
    {
        var now = Noon - Noon % 64;
        Span<byte> address = stackalloc byte[16];
        Assert.True(_keys.TryMint(ResolverNetwork.Unknown, now - age, 1, verified: false, ecs: false, address));
        Assert.Equal(genuine, _keys.TryOpen(address, now, out _));
    }

    [Fact]
    public void It_opens_across_midnight_in_both_directions()
    {
        var midnight = Noon + 43200;
        Span<byte> address = stackalloc byte[16];
        // Minted before midnight, opened after, with keys derived after; and minted just after, opened by a clock just before.
        foreach (var (mintedAt, openedAt) in new[] { (midnight - 1, midnight), (midnight, midnight - 60) })
        {
            Assert.True(PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, mintedAt).TryMint(ResolverNetwork.Unknown, mintedAt, 1, verified: false, ecs: false, address));
            Assert.True(PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, openedAt).TryOpen(address, openedAt, out _));
        }
    }

    [Fact]
    public void It_no_longer_opens_when_its_epoch_is_three_days_back()
    {
        Span<byte> address = stackalloc byte[16];
        _keys.TryMint(ResolverNetwork.Unknown, Noon, 1, verified: false, ecs: false, address);
        Assert.True(PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Noon + 2 * 86400).TryOpen(address, Noon + 2 * 86400, out _));
        Assert.False(PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Noon + 3 * 86400).TryOpen(address, Noon + 3 * 86400, out _));
        // and with keys that nobody has renewed since
        Assert.False(_keys.TryOpen(address, Noon + 3 * 86400, out _));
    }

    [Fact]
    public void Another_prefix_or_another_master_opens_nothing()
    {
        Span<byte> address = stackalloc byte[16];
        _keys.TryMint(ResolverNetwork.FromIpv4(0xC0000235), Noon, 1, verified: true, ecs: false, address);
        Assert.False(PrefixKeys.Derive(MasterSecret.FromBytes([.. Enumerable.Repeat((byte)7, 32)]), KnownAnswerTests.Prefix, Noon).TryOpen(address, Noon, out _));
        address[5] ^= 1;
        Assert.False(_keys.TryOpen(address, Noon, out _));
        Assert.False(PrefixKeys.Derive(KnownAnswerTests.Master, CookiePrefix.Of(address), Noon).TryOpen(address, Noon, out _));
    }

    [Fact]
    public void Random_addresses_pass_as_rarely_as_the_format_promises()
    {
        var random = new Random(1);
        Span<byte> address = stackalloc byte[16];
        var genuine = 0;
        for (var i = 0; i < 2_000_000; i++)
        {
            random.NextBytes(address);
            KnownAnswerTests.Prefix.CopyTo(address);
            genuine += _keys.TryOpen(address, Noon, out _) ? 1 : 0;
        }
        Assert.InRange(genuine, 0, 8); // 2^-20.6 of two million: about 1.3
    }

    [Theory]
    [InlineData("192.0.2.53", false, "192.0.2.53")]
    [InlineData("192.0.2.53", true, "192.0.2.0/24")]
    [InlineData("::ffff:192.0.2.53", false, "192.0.2.53")]
    [InlineData("2001:db8:1234:5678::53", false, "2001:db8:1230::/44")]
    [InlineData("3fff:ffff:fff0::", false, "3fff:ffff:fff0::/44")]
    [InlineData("2000::", false, "2000::/44")]
    [InlineData("::1", false, null)]
    [InlineData("fd00::1", false, null)]
    [InlineData("fe80::1", false, null)]
    [InlineData("0.0.0.0", false, null)]
    public void A_resolver_is_kept_as_the_format_says(string address, bool ecs, string? expected) =>
        Assert.Equal(expected, ResolverNetwork.FromAddress(IPAddress.Parse(address)).Describe(ecs));

    [Theory]
    [InlineData("2001:db8:25::/48", true)]
    [InlineData("2001:db8:25::", false)]
    [InlineData("2001:db8:25::/47", false)]
    [InlineData("2001:db8:25:1::/48", false)]
    [InlineData("192.0.2.0/48", false)]
    [InlineData("fe80::%1/48", false)]
    [InlineData("/48", false)]
    [InlineData("", false)]
    public void A_prefix_is_an_IPv6_48_and_nothing_else(string text, bool ok)
    {
        Assert.Equal(ok, CookiePrefix.TryParse(text, out _, out var error));
        Assert.Equal(ok, error is null);
    }

    [Theory]
    [InlineData(320, true)]
    [InlineData(64, true)]
    [InlineData(86400, true)]
    [InlineData(0, false)]
    [InlineData(100, false)]
    [InlineData(448, false)] // a multiple of 64 that does not divide a day
    public void A_mint_interval_is_a_multiple_of_a_tick_that_divides_a_day(long seconds, bool ok) =>
        Assert.Equal(ok, CookieTime.IsMintInterval(seconds));
}
