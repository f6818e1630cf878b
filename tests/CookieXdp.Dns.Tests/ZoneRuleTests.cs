using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;

namespace CookieXdp.Dns.Tests;

/// <summary>What must be true of a zone before it is served. Lines count from the end of the usual head, six lines long.</summary>
public sealed class ZoneRuleTests
{
    [Theory]
    [InlineData("x AAAA 2001:db8:25::1:1", "zone:7:3: x.mx.example.com. AAAA: 2001:db8:25::1:1 lies in 2001:db8:25::/48, where all addresses are minted: write the template, 2001:db8:25::1 for service 1, or an address outside")]
    [InlineData("x AAAA 2001:db8:25::10", "lies in 2001:db8:25::/48, where all addresses are minted")]
    [InlineData("x AAAA 2001:db8:25:4000::1", "lies in 2001:db8:25::/48, where all addresses are minted")]
    [InlineData("x AAAA 2001:db8:25::2", "2001:db8:25::2 is the template of service 2, which 2001:db8:25::/48 does not have in the configuration; it has 2001:db8:25::1 (smtp), 2001:db8:25::7 (ssh)")]
    [InlineData("x AAAA 2001:db8:25::1\nx AAAA 2001:db8:25::7", "the template 2001:db8:25::7 must be the name's only AAAA record")]
    [InlineData("x AAAA 2001:db8:25::1\nx AAAA 2001:db8:1::7", "the template 2001:db8:25::1 must be the name's only AAAA record")]
    [InlineData("x 3153 AAAA 2001:db8:25::1", "TTL 3153 is too long: mintEvery 320 + TTL + 128 = 3601 s is more than freshFor 3600 s of service 'smtp', so that answers would be stale while resolvers still hold them; at most 3152 is right")]
    [InlineData("x 109 AAAA 2001:db8:25::7", "at most 108 is right")]
    [InlineData("ns1.x AAAA 2001:db8:25::1\n@ NS ns1.x", "the name is a name server (NS), and 2001:db8:25::1 lies in 2001:db8:25::/48, which is for minted addresses: give the server an address outside")]
    [InlineData("c NS ns.c\nns.c AAAA 2001:db8:25::1", "2001:db8:25::1 is a template, and c.mx.example.com. is delegated: addresses there are glue, which cannot be minted")]
    [InlineData("c NS ns.c\nns.c A 192.0.2.1\nx.c TXT x", "c.mx.example.com. is delegated by its NS records: what is there belongs into that zone")]
    [InlineData("c NS ns1\nd.c NS ns1", "c.mx.example.com. is delegated by its NS records: what is there belongs into that zone")]
    [InlineData("c NS ns.c\nns.c A 192.0.2.1\nc MX 10 ns1", "c.mx.example.com. is delegated by its NS records: what is there belongs into that zone")]
    [InlineData("@ NS gone", "gone.mx.example.com. is in this zone but has no A or AAAA record here")]
    [InlineData("@ MX 10 gone", "gone.mx.example.com. is in this zone but has no A or AAAA record here")]
    [InlineData("@ MX 10 _mx.example.net.", "_mx.example.net. is no host name: letters, digits and inner hyphens")]
    [InlineData("@ NS .", ". is no host name")]
    [InlineData("x_y A 192.0.2.1", "a name with addresses has letters, digits and inner hyphens only")]
    [InlineData("x- AAAA 2001:db8:25::1", "a name with addresses has letters, digits and inner hyphens only")]
    [InlineData("*.x A 192.0.2.1", "wildcards are not supported: write out each name")]
    [InlineData("mx.example.org. A 192.0.2.1", "zone:7:17: mx.example.org. A: the name is not in zone mx.example.com.")]
    [InlineData("@ SOA ns1 h 1 1 1 1 1", "a zone has one SOA record, and line 2 has it already")]
    [InlineData("x A 192.0.2.1\nx 60 A 192.0.2.2", "has TTL 60, and line 7 of the same name and type has 300: make them equal (RFC 2181 §5.2)")]
    [InlineData("x A 192.0.2.1\nX A 192.0.2.1", "zone:8:3: X.mx.example.com. A: stands twice: line 7 has it already")]
    public void A_rule_that_is_broken_is_told_with_its_place_and_what_would_be_right(string records, string error) =>
        Assert.Contains(TestZones.ErrorsOf(TestZones.Head + records + "\n"), told => told.Contains(error, StringComparison.Ordinal));

    [Theory]
    [InlineData("x 3152 AAAA 2001:db8:25::1")]
    [InlineData("x 108 AAAA 2001:db8:25::7")]
    [InlineData("x AAAA 2001:db8:25::1\nx A 192.0.2.1\nx TXT y")]
    [InlineData("x AAAA 2001:db8:27::1")]
    [InlineData("@ MX 0 .")]
    [InlineData("_dmarc TXT x")]
    [InlineData("c NS ns.c\nns.c A 192.0.2.1\nc A 192.0.2.2")]
    public void What_no_rule_forbids_is_served(string records) => Assert.Empty(TestZones.ErrorsOf(TestZones.Head + records + "\n"));

    [Fact]
    public void A_zone_without_soa_or_ns_is_told_what_it_lacks()
    {
        var errors = TestZones.ErrorsOf("$TTL 60\nx A 192.0.2.1\n");
        Assert.Equal(2, errors.Count);
        Assert.StartsWith("zone: has no SOA record: begin with mx.example.com. SOA", errors[0], StringComparison.Ordinal);
        Assert.StartsWith("zone: has no NS record for mx.example.com.", errors[1], StringComparison.Ordinal);
        Assert.Contains(TestZones.ErrorsOf("$TTL 60\nx SOA a b 1 1 1 1 1\n@ NS ns.example.net.\n"), error => error.Contains("belongs to the zone's own name, mx.example.com.", StringComparison.Ordinal));
    }

    [Fact]
    public void What_may_stand_in_an_unreadable_line_is_not_called_missing()
    {
        var errors = TestZones.ErrorsOf("$TTL 60\n@ SOA ns1 h x 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.\nx AAAA 2001:db8:25::2\n");
        Assert.Equal(["zone:2:13", "zone:4:7", "zone:5:3"], errors.Select(error => error[..error.IndexOf(": ", StringComparison.Ordinal)]));
    }

    [Fact]
    public void An_rrset_beyond_one_message_is_refused() =>
        Assert.Contains("do not fit into one message", Assert.Single(TestZones.ErrorsOf(TestZones.Head + string.Concat(Enumerable.Range(0, 260).Select(i => $"x TXT \"{new string('x', 240)}{i}\"\n")))), StringComparison.Ordinal);

    [Fact]
    public void A_name_server_of_one_zone_may_not_be_minted_in_another()
    {
        var folder = Directory.CreateTempSubdirectory("cookiexdp-zones").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "one"), TestZones.Head + "host AAAA 2001:db8:25::1\n");
            File.WriteAllText(Path.Combine(folder, "two"), "$TTL 60\n@ SOA a h 1 1 1 1 1\n@ NS host.mx.example.com.\n");
            var error = Assert.Throws<ZoneException>(() => ZoneLoader.Load([new ZoneSettings("mx.example.com", Path.Combine(folder, "one")), new("two.example", Path.Combine(folder, "two"))], TestZones.Services));
            Assert.Contains("one:7:6: host.mx.example.com. AAAA: the name is a name server", Assert.Single(error.Errors).ToString(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Zones_that_cannot_be_read_are_all_named()
    {
        var error = Assert.Throws<ZoneException>(() => ZoneLoader.Load([new("a.example", "/nonexistent/a"), new("b.example", "/tmp"), new("bad name", "/nonexistent/c")], TestZones.Services));
        Assert.Equal(3, error.Errors.Count);
        Assert.StartsWith("/nonexistent/a: there is no such file", error.Errors[0].ToString(), StringComparison.Ordinal);
        Assert.StartsWith("/tmp: ", error.Errors[1].ToString(), StringComparison.Ordinal);
        Assert.Contains("'bad name'", error.Errors[2].ToString(), StringComparison.Ordinal);
    }
}
