using System.Net;

namespace CookieXdp.Cookies.Tests;

/// <summary>The known answers of cookie format 1: master 00 01 … 1f, prefix 2001:db8:25::/48.</summary>
public sealed class KnownAnswerTests
{
    internal static readonly CookiePrefix Prefix = CookiePrefix.Parse("2001:db8:25::/48");

    public static TheoryData<string, long, int, bool, bool, string> Rows => new()
    {
        { "192.0.2.53", 1700000000, 1, true, false, "2001:db8:25:ca01:2cdd:2ff5:2c64:b9b" },
        { "2001:db8:1234:5678::53", 1763900000, 2, false, false, "2001:db8:25:f12c:da0:4b10:684d:aea7" },
        { "198.51.100.0", 1764159200, 15, true, true, "2001:db8:25:a523:5f45:3948:4dbd:54e7" },
        { "::1", 0, 0, false, false, "2001:db8:25:30d9:844f:9c57:a1f6:6c9d" },
    };

    internal static MasterSecret Master => MasterSecret.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    [Theory]
    [MemberData(nameof(Rows))]
    public void Minting_gives_the_known_address(string resolver, long at, int service, bool verified, bool ecs, string address)
    {
        Span<byte> minted = stackalloc byte[16];
        Assert.True(PrefixKeys.Derive(Master, Prefix, at).TryMint(ResolverNetwork.FromAddress(IPAddress.Parse(resolver)), at, service, verified, ecs, minted));
        Assert.Equal(IPAddress.Parse(address), new IPAddress(minted));
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Opening_the_known_address_says_what_went_in(string resolver, long at, int service, bool verified, bool ecs, string address)
    {
        Assert.True(PrefixKeys.Derive(Master, Prefix, at).TryOpen(IPAddress.Parse(address).GetAddressBytes(), at, out var cookie));
        Assert.Equal(new Cookie(ResolverNetwork.FromAddress(IPAddress.Parse(resolver)), at / 86400, (int)(at % 86400 / 64), service, verified, ecs), cookie);
    }
}
