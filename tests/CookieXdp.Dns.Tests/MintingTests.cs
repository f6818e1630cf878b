using System.Net;
using CookieXdp.Cookies;
using CookieXdp.Dns.Answers;

namespace CookieXdp.Dns.Tests;

/// <summary>What the address in an answer says when it is opened.</summary>
public sealed class MintingTests
{
    private readonly TestResponder _server = new();

    [Theory]
    [InlineData("192.0.2.200", "192.0.2.200")]
    [InlineData("::ffff:192.0.2.200", "192.0.2.200")]
    [InlineData("2001:db8:1234:5678::53", "2001:db8:1230::/44")]
    [InlineData("::1", "unknown")]
    public void The_address_tells_the_resolver_the_service_and_the_interval(string from, string resolver)
    {
        var reply = _server.Ask("a.mx.example.com", "AAAA", from: from);
        Assert.Equal(("NOERROR", true), (reply.Code, reply.IsAuthoritative));
        Assert.StartsWith("a.mx.example.com. 300 AAAA 2001:db8:25:", Assert.Single(reply.Answers), StringComparison.Ordinal);
        var cookie = Open(reply.Address, TestZones.Now);
        Assert.Equal((resolver, 1, false, false), (cookie.Resolver.ToString(), cookie.Service, cookie.Verified, cookie.Ecs));
        Assert.Equal(TestZones.Now - TestZones.Now % 320, cookie.MintedAt);
    }

    [Fact]
    public void Asked_by_tcp_the_resolver_is_verified()
    {
        var reply = _server.Ask("a.mx.example.com", "AAAA", Transport.Tcp);
        Assert.True(Open(reply.Address, TestZones.Now).Verified);
    }

    [Fact]
    public void The_known_answer_comes_out_at_its_own_time()
    {
        // DESIGN.md §5, first row: minted with that very tick, so mintEvery must divide it.
        var server = new TestResponder(TestZones.Head + "k 30 AAAA 2001:db8:25::7\n");
        var reply = server.Ask("k.mx.example.com", "AAAA", Transport.Tcp, "192.0.2.53");
        Span<byte> expected = stackalloc byte[16];
        TestZones.KeysAt(TestZones.Now, TestZones.Prefix).TryMint(ResolverNetwork.FromAddress(IPAddress.Parse("192.0.2.53")), TestZones.Now - TestZones.Now % 64, 7, verified: true, ecs: false, expected);
        Assert.Equal(new IPAddress(expected), reply.Address);
    }

    [Fact]
    public void An_answer_is_the_same_throughout_an_interval_and_another_in_the_next()
    {
        var start = TestZones.Now - TestZones.Now % 320;
        var first = _server.Ask("a.mx.example.com", "AAAA", at: start).Address;
        Assert.Equal(first, _server.Ask("A.MX.example.com", "AAAA", at: start + 319).Address);
        Assert.NotEqual(first, _server.Ask("a.mx.example.com", "AAAA", at: start + 320).Address);
        Assert.NotEqual(first, _server.Ask("a.mx.example.com", "AAAA", at: start - 1).Address);
    }

    [Fact]
    public void Resolvers_transports_services_and_prefixes_have_addresses_of_their_own()
    {
        IPAddress[] all =
        [
            _server.Ask("a.mx.example.com", "AAAA").Address,
            _server.Ask("a.mx.example.com", "AAAA", from: "192.0.2.201").Address,
            _server.Ask("a.mx.example.com", "AAAA", Transport.Tcp).Address,
            _server.Ask("b.mx.example.com", "AAAA").Address,
            _server.Ask("knock.mx.example.com", "AAAA").Address,
        ];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.True(CookiePrefix.Parse("2001:db8:26::/48").Contains(all[3].GetAddressBytes()));
    }

    [Fact]
    public void Each_interval_begins_with_its_own_services_mint_every()
    {
        var reply = _server.Ask("knock.mx.example.com", "AAAA", at: TestZones.Now + 63);
        Assert.Equal((TestZones.Now + 63) / 64 * 64, Open(reply.Address, TestZones.Now + 63).MintedAt);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(TestZones.Now - 3 * 86_400)] // published keys reach to the end of the day after
    public void Without_keys_a_template_fails_is_counted_and_everything_else_is_answered(long? keysAt)
    {
        var server = new TestResponder(TestZones.Usual, keysAt);
        var reply = server.Ask("a.mx.example.com", "AAAA");
        Assert.Equal(("SERVFAIL", false), (reply.Code, reply.IsAuthoritative));
        Assert.Empty(reply.Answers);
        Assert.Equal("NOERROR", server.Ask("a.mx.example.com", "A").Code);
        Assert.Equal("NOERROR", server.Ask("mx.example.com", "MX").Code);
        Assert.Equal("SERVFAIL", server.Answer(new Query("a.mx.example.com", "AAAA") { UdpSize = 1232 }.ToBytes()).Code);
        Assert.Equal(2, server.Counters.Keyless);
    }

    [Fact]
    public void Minting_goes_on_until_the_published_keys_end()
    {
        var endOfTomorrow = (TestZones.Now / 86_400 + 2) * 86_400;
        Assert.Equal("NOERROR", _server.Ask("a.mx.example.com", "AAAA", at: endOfTomorrow - 1).Code);
        Assert.Equal("SERVFAIL", _server.Ask("a.mx.example.com", "AAAA", at: endOfTomorrow).Code);
    }

    [Fact]
    public void Minted_addresses_are_counted_by_service()
    {
        _server.Ask("a.mx.example.com", "AAAA");
        _server.Ask("a.mx.example.com", "AAAA");
        _server.Ask("knock.mx.example.com", "AAAA");
        _server.Ask("static.mx.example.com", "AAAA");
        Assert.Equal((2L, 1L), (_server.Counters.Minted(1), _server.Counters.Minted(7)));
    }

    private static Cookies.Cookie Open(IPAddress address, long at)
    {
        Assert.True(TestZones.KeysAt(at, TestZones.Prefix).TryOpen(address.GetAddressBytes(), at, out var cookie), $"{address} is false");
        return cookie;
    }
}
