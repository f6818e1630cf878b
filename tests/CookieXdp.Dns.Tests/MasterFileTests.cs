using CookieXdp.Dns.Messages;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Tests;

/// <summary>Reading master files: what they may look like, and what is said of those that are wrong.</summary>
public sealed class MasterFileTests
{
    [Fact]
    public void Everything_that_a_master_file_may_look_like_reads_as_the_same_records()
    {
        var (records, errors) = Read("""
            ; a comment
            $ORIGIN mx.example.com.
            $TTL 1h30m
            @   1D IN SOA ns1 host\.master.example.com. (
                    2024010101 ; serial
                    1h 15m     ; refresh, retry
                    2w
                    60 )
                IN 300 NS  ns1
            	NS ns2.example.net.   ; the same owner, behind a tab
            MX.Example.COM. mx 10 a
            ns1 IN A 192.0.2.1
                300 in aaaa 2001:DB8::1
            a\.b\032c TXT "quo;ted (\"x\")" plain\065 "" ; three strings
            $ORIGIN sub
            x A 192.0.2.2
            @ A 192.0.2.3
            """);
        Assert.Empty(errors);
        Assert.Equal(
            [
                "mx.example.com. 86400 SOA 036E7331026D78076578616D706C6503636F6D000B686F73742E6D6173746572076578616D706C6503636F6D0078A3F17500000E1000000384001275000000003C",
                "mx.example.com. 300 NS 036E7331026D78076578616D706C6503636F6D00",
                "mx.example.com. 5400 NS 036E7332076578616D706C65036E657400",
                "MX.Example.COM. 5400 MX 000A0161026D78076578616D706C6503636F6D00",
                "ns1.mx.example.com. 5400 A C0000201",
                "ns1.mx.example.com. 300 AAAA 20010DB8000000000000000000000001",
                "a\\.b\\032c.mx.example.com. 5400 TXT " + Convert.ToHexString([13, .. "quo;ted (\"x\")"u8, 6, .. "plainA"u8, 0]),
                "x.sub.mx.example.com. 5400 A C0000202",
                "sub.mx.example.com. 5400 A C0000203",
            ],
            records.Select(record => $"{record.Owner} {record.Ttl} {RecordType.ToText(record.Type)} {Convert.ToHexString(record.Data)}"));
    }

    [Fact]
    public void Without_a_default_a_ttl_holds_for_the_records_below_it() =>
        Assert.Equal([60u, 60u, 7u], Read("@ 60 A 192.0.2.1\n A 192.0.2.2\nx 7 A 192.0.2.2").Records.Select(record => record.Ttl));

    [Fact]
    public void A_file_of_windows_lines_and_without_a_last_newline_reads_as_any_other() =>
        Assert.Equal(2, Read("$TTL 60\r\n@ A 192.0.2.1\r\n\r\n; end\r\nx A 192.0.2.2").Records.Count);

    [Theory]
    [InlineData("@ 60 CNAME x", "zone:1:6: CNAME is not supported: give the name its own records")]
    [InlineData("@ 60 SRV 1 2 3 x", "zone:1:6: 'SRV' is not a type that is served: SOA, NS, MX, A, AAAA, TXT")]
    [InlineData("@ 60 RRSIG x", "zone:1:6: RRSIG: signed zones are not supported; load the unsigned one")]
    [InlineData("@ 60 CH TXT x", "zone:1:6: class CH is not served: IN is the only one")]
    [InlineData("@ A 192.0.2.1", "zone:1:3: the record has no TTL: write one before its type, or $TTL 1h at the top of the file")]
    [InlineData(" 60 A 192.0.2.1", "zone:1:2: the first record has no owner: begin its line with @ (the zone itself) or a name")]
    [InlineData("@ 60 IN", "zone:1:6: the type is missing behind 'IN'")]
    [InlineData("lonely", "zone:1:1: 'lonely' stands alone: a record has owner, TTL, type and data")]
    [InlineData("@ 1x A 192.0.2.1", "zone:1:3: '1x' is neither a TTL (seconds up to 2147483647, or such as 1h30m) nor a type")]
    [InlineData("@ 2147483648 A 192.0.2.1", "zone:1:3: '2147483648' is neither a TTL (seconds up to 2147483647, or such as 1h30m) nor a type")]
    [InlineData("@ 60 A 192.0.2.256", "zone:1:8: '192.0.2.256' is no IPv4 address: four numbers up to 255, as in 192.0.2.1")]
    [InlineData("@ 60 A 1", "zone:1:8: '1' is no IPv4 address: four numbers up to 255, as in 192.0.2.1")]
    [InlineData("@ 60 A 192.0.2.01", "zone:1:8: '192.0.2.01' is no IPv4 address: four numbers up to 255, as in 192.0.2.1")]
    [InlineData("@ 60 A 2001:db8::1", "zone:1:8: '2001:db8::1' is no IPv4 address: four numbers up to 255, as in 192.0.2.1")]
    [InlineData("@ 60 AAAA 192.0.2.1", "zone:1:11: '192.0.2.1' is no IPv6 address such as 2001:db8::1")]
    [InlineData("@ 60 AAAA 2001:db8::1%1", "zone:1:11: '2001:db8::1%1' is no IPv6 address such as 2001:db8::1")]
    [InlineData("@ 60 AAAA 2001:db8::1/64", "zone:1:11: '2001:db8::1/64' is no IPv6 address such as 2001:db8::1")]
    [InlineData("@ 60 A", "zone:1:6: A needs an IPv4 address")]
    [InlineData("@ 60 MX 10", "zone:1:6: MX needs a preference and a name")]
    [InlineData("@ 60 MX a 10", "zone:1:9: 'a' is no preference: a number from 0 to 65535, as in MX 10 mail")]
    [InlineData("@ 60 MX 65536 a", "zone:1:9: '65536' is no preference: a number from 0 to 65535, as in MX 10 mail")]
    [InlineData("@ 60 A 192.0.2.1 192.0.2.2", "zone:1:18: '192.0.2.2' is too much: A has an IPv4 address only")]
    [InlineData("@ 60 NS a..b", "zone:1:9: 'a..b' has an empty label: two dots in a row, or one at the start")]
    [InlineData("@ 60 NS .a", "zone:1:9: '.a' has an empty label: two dots in a row, or one at the start")]
    [InlineData("@ 60 NS m\u00FCller", "zone:1:9: 'm\u00FCller' has a character outside ASCII: write an international name in its ASCII form, xn--…")]
    [InlineData("@ 60 TXT \"open", "zone:1:10: the text in quotes is not closed on its line: put a \" at its end")]
    [InlineData("@ 60 TXT \\300", "zone:1:10: '\\300' has a \\ that is not followed by three decimal digits up to 255, as in \\032")]
    [InlineData("@ 60 TXT \\1", "zone:1:10: '\\1' has a \\ that is not followed by three decimal digits up to 255, as in \\032")]
    [InlineData("@ 60 TXT", "zone:1:6: TXT needs a text")]
    [InlineData("@ 60 SOA ns host@example.com. 1 1 1 1 1", "zone:1:13: 'host@example.com.': the mailbox is written with a dot in place of its @, as in hostmaster.example.com.")]
    [InlineData("@ 60 SOA ns h -1 1 1 1 1", "zone:1:15: '-1' is no serial: a number from 0 to 4294967295")]
    [InlineData("@ 60 SOA ns h 1 1 x 1 1", "zone:1:19: 'x' is no time: seconds, or such as 1h30m")]
    [InlineData("@ 60 SOA ns h ( 1 1 1 1 1", "zone:1:15: ( is never closed: put a ) behind the record's last field")]
    [InlineData("@ 60 A ( ( 192.0.2.1 )", "zone:1:10: ( stands within ( ): close the first one before")]
    [InlineData("@ 60 A 192.0.2.1 )", "zone:1:18: ) without a ( before it")]
    [InlineData("$INCLUDE other", "zone:1:1: $INCLUDE is not supported: write the records in this file")]
    [InlineData("$TTTL 5", "zone:1:1: '$TTTL' is no directive; known here: $ORIGIN, $TTL")]
    [InlineData("$TTL", "zone:1:1: $TTL takes one value, as in $TTL 1h")]
    [InlineData("$TTL x", "zone:1:6: 'x' is no TTL: seconds up to 2147483647, or such as 1h30m")]
    [InlineData("$ORIGIN a..", "zone:1:9: 'a..' has an empty label: two dots in a row, or one at the start")]
    public void A_mistake_is_told_with_its_place_and_what_would_be_right(string text, string error) => Assert.Contains(error, Read(text).Errors);

    [Fact]
    public void All_mistakes_are_told_at_once_in_the_order_of_their_lines()
    {
        var errors = Read("@ 60 A x\n@ 60 CNAME x\n\n  60 AAAA 1\n\"\n@ 60 MX x y").Errors;
        Assert.Equal(["zone:1:8", "zone:2:6", "zone:4:11", "zone:5:1", "zone:6:9"], errors.Select(error => error[..error.IndexOf(": ", StringComparison.Ordinal)]).Distinct());
    }

    [Fact]
    public void A_file_of_another_kind_is_not_told_line_by_line()
    {
        var errors = Read(string.Concat(Enumerable.Repeat("%%%\n", 1000))).Errors;
        Assert.Equal(ZoneErrors.Most + 1, errors.Count);
        Assert.Equal("zone: and 900 more", errors[^1]);
    }

    [Fact]
    public void A_record_behind_an_unreadable_owner_falls_to_nobody()
    {
        var (records, errors) = Read("$TTL 60\ngood A 192.0.2.1\nb..d A 192.0.2.2\n  A 192.0.2.3\n");
        Assert.Single(records);
        Assert.Single(errors);
    }

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    public void A_label_has_63_characters_at_most(int length, bool isRight) =>
        Assert.Equal(isRight, Read($"{new string('x', length)} 60 A 192.0.2.1").Errors.Count == 0);

    [Fact]
    public void A_name_has_255_bytes_at_most()
    {
        Assert.Contains("255", Assert.Single(Read($"{new string('x', 63)}.{new string('x', 63)}.{new string('x', 63)}.{new string('x', 47)} 60 A 192.0.2.1").Errors), StringComparison.Ordinal);
        Assert.Empty(Read($"{new string('x', 63)}.{new string('x', 63)}.{new string('x', 63)}.{new string('x', 46)} 60 A 192.0.2.1").Errors);
    }

    internal static (IReadOnlyList<ZoneRecord> Records, IReadOnlyList<string> Errors) Read(string text, string zone = "mx.example.com")
    {
        var errors = new ZoneErrors("zone");
        var apex = ZoneFile.ReadName(zone, errors)!;
        var records = MasterFileReader.Read(text, apex, errors);
        return (records, [.. errors.InOrder().Select(error => error.ToString())]);
    }
}
