using System.Net;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies.Tests;

/// <summary>Batches against one at a time: every form, mixed epochs, and addresses that were never minted.</summary>
public sealed class BatchTests
{
    private const long Now = 1_700_000_000;

    private static readonly MintOrder[] _noOrders = [];

    public static TheoryData<string> Forms => [.. Ff1Forms.All.Select(form => form.Name)];

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_million_random_cookies_open_to_what_went_in_whatever_master_prefix_and_epoch(string name)
    {
        var form = Ff1Forms.Choose(name);
        const int masters = 100;
        const int perMaster = 10_048;
        var random = new Random(78);
        var addresses = new Vector128<byte>[perMaster];
        var opened = new OpenedCookie[perMaster];
        var orders = new MintOrder[perMaster];
        var single = new byte[16];
        for (var master = 0; master < masters; master++)
        {
            var secret = new byte[32];
            random.NextBytes(secret);
            var prefix = CookiePrefix.Of([0x20, 0x01, (byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256), (byte)random.Next(256)]);
            var now = random.NextInt64(3 * 86400, uint.MaxValue - 2 * 86400);
            var keys = PrefixKeys.Derive(MasterSecret.FromBytes(secret), prefix, now);
            var expected = new Cookie[perMaster];
            for (var i = 0; i < perMaster; i++)
            {
                var mintedAt = now - random.NextInt64(2 * 86400 + now % 86400 + 1) + (i % 97 == 0 ? 100 : 0);
                var network = (i % 3) switch
                {
                    0 => ResolverNetwork.FromIpv4((uint)random.NextInt64(1L << 32)),
                    1 => Network(random.NextInt64()),
                    _ => ResolverNetwork.Unknown,
                };
                expected[i] = new Cookie(network, mintedAt / 86400, (int)(mintedAt % 86400 / 64), random.Next(16), random.Next(2) == 0, random.Next(2) == 0);
                orders[i] = new MintOrder(network, mintedAt, expected[i].Service, expected[i].Verified, expected[i].Ecs);
            }
            Assert.True(keys.TryMint(form, orders, addresses));
            keys.Open(form, addresses, now, opened);
            for (var i = 0; i < perMaster; i++)
            {
                if (!opened[i].IsGenuine || opened[i].ToCookie() != expected[i])
                    Assert.Fail($"{expected[i]} opened to {opened[i].IsGenuine} {opened[i].ToCookie()}");
            }
            // and one at a time says and writes the same
            for (var i = 0; i < perMaster; i += 50)
            {
                Assert.True(keys.TryMint(expected[i].Resolver, orders[i].MintedAt, expected[i].Service, expected[i].Verified, expected[i].Ecs, single));
                Assert.Equal(addresses[i], Vector128.Create(single));
                Assert.True(keys.TryOpen(single, now, out var cookie));
                Assert.Equal(expected[i], cookie);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_single_bit_change_of_ten_thousand_cookies_is_false(string name)
    {
        var form = Ff1Forms.Choose(name);
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Now);
        var orders = Enumerable.Range(0, 10_000).Select(i => new MintOrder(ResolverNetwork.FromIpv4((uint)i * 2654435761), Now - i * 13 % 170_000, i & 15, (i & 16) != 0, (i & 32) != 0)).ToArray();
        var addresses = new Vector128<byte>[orders.Length];
        Assert.True(keys.TryMint(form, orders, addresses));
        var changed = new Vector128<byte>[128];
        var opened = new OpenedCookie[128];
        var genuine = 0;
        foreach (var address in addresses)
        {
            for (var bit = 0; bit < 128; bit++)
                changed[bit] = address ^ Vector128<byte>.Zero.WithElement(bit / 8, (byte)(0x80 >> (bit % 8)));
            keys.Open(form, changed, Now, opened);
            genuine += opened.Count(cookie => cookie.IsGenuine);
        }
        // Of another prefix nothing is genuine. 800 000 random plaintexts are, each with 2^-20.6: 0.5 expected. The keys are fixed, so the number is, too: with these it is none.
        Assert.Equal(0, genuine);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_was_not_minted_is_judged_as_one_at_a_time_judges_it(string name)
    {
        var form = Ff1Forms.Choose(name);
        var random = new Random(1);
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Now);
        var addresses = new Vector128<byte>[name == "software" ? 4096 : 100_000];
        var bytes = new byte[16];
        for (var i = 0; i < addresses.Length; i++)
        {
            random.NextBytes(bytes);
            if (i % 8 != 0)
                KnownAnswerTests.Prefix.CopyTo(bytes);
            addresses[i] = Vector128.Create(bytes);
        }
        var opened = new OpenedCookie[addresses.Length];
        keys.Open(form, addresses, Now, opened);
        for (var i = 0; i < addresses.Length; i++)
        {
            addresses[i].CopyTo(bytes);
            if (keys.TryOpen(bytes, Now, out _) != opened[i].IsGenuine)
                Assert.Fail($"{new IPAddress(bytes)}: one at a time and a batch disagree");
        }
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Whatever_the_number_and_the_mix_of_epochs_each_opens_as_alone(string name)
    {
        var form = Ff1Forms.Choose(name);
        var random = new Random(2);
        // a minute before midnight, so that tomorrow's cookies can be genuine, too
        const long now = 20_000 * 86_400 - 60;
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, now);
        var bytes = new byte[16];
        for (var count = 1; count <= 140; count++)
        {
            for (var mix = 0; mix < 16; mix++)
            {
                // each bit of the mix stands for an epoch that may occur
                var epochs = Enumerable.Range(0, 4).Where(epoch => mix == 0 || (mix >> epoch & 1) != 0).ToArray();
                var orders = Enumerable.Range(0, count).Select(_ => new MintOrder(
                    ResolverNetwork.FromIpv4((uint)random.Next()), now + 60 - 86_400L * epochs[random.Next(epochs.Length)] + random.Next(60), random.Next(16), random.Next(2) == 0, random.Next(2) == 0)).ToArray();
                var addresses = new Vector128<byte>[count];
                var opened = new OpenedCookie[count];
                Assert.True(keys.TryMint(form, orders, addresses));
                var changed = random.Next(count);
                addresses[changed] ^= Vector128<byte>.Zero.WithElement(15, (byte)1);
                keys.Open(form, addresses, now, opened);
                for (var i = 0; i < count; i++)
                {
                    addresses[i].CopyTo(bytes);
                    if (keys.TryOpen(bytes, now, out var cookie) != opened[i].IsGenuine || (opened[i].IsGenuine && opened[i].ToCookie() != cookie))
                        Assert.Fail($"{i} of {count}, mix {mix}: {cookie} alone, {opened[i].ToCookie()} in a batch");
                }
            }
        }
    }

    [Theory]
    [InlineData(-128, true)]
    [InlineData(-192, false)]
    [InlineData(0, true)]
    public void Time_is_judged_alike(int age, bool genuine)
    {
        const long now = Now / 64 * 64;
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, now);
        // five: four at once, and one alone
        var address = new Vector128<byte>[5];
        var orders = Enumerable.Repeat(new MintOrder(ResolverNetwork.Unknown, now - age, 1, verified: false, ecs: false), 5).ToArray();
        Assert.True(keys.TryMint(orders, address));
        var opened = new OpenedCookie[5];
        keys.Open(address, now, opened);
        Assert.All(opened, cookie => Assert.Equal(genuine, cookie.IsGenuine));
        // keys that nobody has renewed: an epoch is no longer of the four
        keys.Open(address, now + 3 * 86400, opened);
        Assert.All(opened, cookie => Assert.False(cookie.IsGenuine));
    }

    // In the clear: check 18, family 1, network 20 | network 21, tick 11, service 4, verified, ecs, reserved.
    [Theory]
    [InlineData(0UL, 0UL, true)]
    [InlineData(0UL, 1349UL << 7, true)]
    [InlineData(0UL, 1350UL << 7, false)] // the first tick that no day has
    [InlineData(0UL, 2047UL << 7, false)]
    [InlineData(0UL, 1UL, false)] // reserved
    [InlineData(1UL << 21, 0UL, false)] // check
    [InlineData(1UL << 38, 0UL, false)]
    [InlineData(0UL, 1UL << 18, false)] // family 0 has 32 bits of network
    [InlineData(0UL, 1UL << 26, false)]
    [InlineData(0UL, 1UL << 27, true)]
    [InlineData(1UL << 20, 1UL << 18, true)] // family 1 has 41
    public unsafe void A_single_wrong_field_makes_a_cookie_false(ulong left, ulong right, bool genuine)
    {
        const long now = Now / 86400 * 86400 + 86400 - 60;
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, now);
        var material = new byte[MasterSecret.KeyLength];
        KnownAnswerTests.Master.DeriveEpochKey(KnownAnswerTests.Prefix, now / 86400, material);
        var cipher = new EpochCipher(KnownAnswerTests.Prefix, now / 86400, material);
        var form = Ff1Forms.Choose("scalar");
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var pointers = stackalloc Vector128<byte>*[Ff1Form.Keys];
        halves[0] = Vector128.Create(left, right);
        form.Fill(pointers, 1, cipher.Key.Pointer);
        form.Encrypt(halves, pointers, 1, CookieBits.HalfMask);
        GC.KeepAlive(cipher);
        var bytes = new byte[16];
        KnownAnswerTests.Prefix.CopyTo(bytes);
        CookieBits.WriteAddress(bytes.AsSpan(6), now / 86400, halves[0][0], halves[0][1]);
        var opened = new OpenedCookie[5];
        keys.Open([.. Enumerable.Repeat(Vector128.Create(bytes), 5)], now, opened);
        Assert.All(opened, cookie => Assert.Equal(genuine, cookie.IsGenuine));
        Assert.Equal(genuine, keys.TryOpen(bytes, now, out _));
    }

    [Fact]
    public void An_order_beyond_the_keys_fails_the_batch()
    {
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Now);
        var addresses = new Vector128<byte>[5];
        foreach (var time in new[] { Now + 2 * 86400, Now + 4 * 86400, Now - 3 * 86400, Now - 4 * 86400 })
        {
            // four at once, and one alone
            for (var place = 0; place < 5; place++)
            {
                var orders = Enumerable.Range(0, 5).Select(i => new MintOrder(ResolverNetwork.Unknown, i == place ? time : Now, 1, verified: false, ecs: false)).ToArray();
                Assert.False(keys.TryMint(orders, addresses));
            }
        }
        Assert.True(keys.TryMint(_noOrders, []));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void During_a_rotation_a_batch_opens_what_any_master_minted(string name)
    {
        var form = Ff1Forms.Choose(name);
        MasterSecret[] masters = [KnownAnswerTests.Master, MasterSecret.FromBytes([.. Enumerable.Repeat((byte)9, 32)]), MasterSecret.FromBytes([.. Enumerable.Repeat((byte)7, 32)])];
        var keys = Keyring.Read(Keyring.Write(masters, [KnownAnswerTests.Prefix], 1, Now)).KeysOf(KnownAnswerTests.Prefix)!;
        var random = new Random(3);
        var addresses = new Vector128<byte>[300];
        var genuine = new bool[addresses.Length];
        for (var i = 0; i < addresses.Length; i++)
        {
            var order = new MintOrder(ResolverNetwork.FromIpv4((uint)i), Now - random.Next(2) * 86_400, 1, verified: false, ecs: false);
            Assert.True(PrefixKeys.Derive(masters[random.Next(3)], KnownAnswerTests.Prefix, Now).TryMint([order], addresses.AsSpan(i, 1)));
            genuine[i] = random.Next(3) != 0;
            if (!genuine[i])
                addresses[i] ^= Vector128<byte>.Zero.WithElement(random.Next(16), (byte)1);
        }
        var opened = new OpenedCookie[addresses.Length];
        keys.Open(form, addresses, Now, opened);
        Assert.Equal(genuine, opened.Select(cookie => cookie.IsGenuine));
        Assert.All(Enumerable.Range(0, genuine.Length).Where(i => genuine[i]), i => Assert.Equal((uint)i, opened[i].Resolver.Ipv4));
    }

    [Fact]
    public unsafe void What_was_made_with_the_key_of_an_epoch_that_has_none_is_false()
    {
        // The stand-in for a key that is not there is known to everybody.
        var known = new Ff1Key(new byte[16], new byte[Ff1Key.TweakLength], 78);
        var today = Now / 86_400;
        var material = new byte[MasterSecret.KeyLength];
        KnownAnswerTests.Master.DeriveEpochKey(KnownAnswerTests.Prefix, today, material);
        var keys = new PrefixKeys(KnownAnswerTests.Prefix, [[new EpochCipher(KnownAnswerTests.Prefix, today, material)]]);
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var pointers = stackalloc Vector128<byte>*[Ff1Form.Keys];
        halves[0] = Vector128<ulong>.Zero;
        var form = Ff1Forms.Choose("scalar");
        form.Fill(pointers, 1, known.Pointer);
        form.Encrypt(halves, pointers, 1, CookieBits.HalfMask);
        GC.KeepAlive(known);
        var bytes = new byte[16];
        KnownAnswerTests.Prefix.CopyTo(bytes);
        for (var epoch = today - 2; epoch <= today + 1; epoch++)
        {
            CookieBits.WriteAddress(bytes.AsSpan(6), epoch, halves[0][0], halves[0][1]);
            var opened = new OpenedCookie[5];
            keys.Open([.. Enumerable.Repeat(Vector128.Create(bytes), 5)], Now, opened);
            Assert.All(opened, cookie => Assert.False(cookie.IsGenuine));
        }
    }

    [Theory]
    [InlineData(-129)]
    [InlineData(long.MinValue)]
    public void Before_the_first_second_nothing_is_genuine(long now)
    {
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, 0);
        var addresses = new Vector128<byte>[5];
        Assert.True(keys.TryMint([.. Enumerable.Repeat(new MintOrder(ResolverNetwork.Unknown, 0, 1, verified: false, ecs: false), 5)], addresses));
        var opened = new OpenedCookie[5];
        keys.Open(addresses, -128, opened);
        Assert.All(opened, cookie => Assert.True(cookie.IsGenuine));
        keys.Open(addresses, now, opened);
        Assert.All(opened, cookie => Assert.False(cookie.IsGenuine));
    }

    [Fact]
    public void Batches_allocate_nothing()
    {
        var keys = PrefixKeys.Derive(KnownAnswerTests.Master, KnownAnswerTests.Prefix, Now);
        var orders = Enumerable.Range(0, 256).Select(i => new MintOrder(ResolverNetwork.FromIpv4((uint)i), Now, 1, verified: false, ecs: false)).ToArray();
        var addresses = new Vector128<byte>[256];
        var opened = new OpenedCookie[256];
        long allocated = 0;
        for (var i = 0; i < 20; i++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            keys.TryMint(orders, addresses);
            keys.Open(addresses, Now, opened);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }
        Assert.Equal(0, allocated);
    }

    private static ResolverNetwork Network(long bits)
    {
        ResolverNetwork.TryFromBits(isIpv6: true, (ulong)bits, out var network);
        return network;
    }
}
