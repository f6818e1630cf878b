using CookieXdp.Dns.Answers;

namespace CookieXdp.Dns.Tests;

/// <summary>Messages that are no queries, EDNS, sizes.</summary>
public sealed class MessageTests
{
    private static readonly byte[] _cookieOption = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

    private readonly TestResponder _server = new();

    [Fact]
    public void Responses_and_what_is_shorter_than_a_header_get_no_answer()
    {
        var query = new Query("mx.example.com", "MX").ToBytes();
        for (var length = 0; length < 12; length++)
            Assert.Empty(_server.AnswerBytes(query.AsSpan(0, length)));
        Assert.Empty(_server.AnswerBytes(new Query("mx.example.com", "MX") { Flags = 0x80 }.ToBytes()));
        Assert.Equal((12L, 1L), (_server.Counters.Drops(DropReason.Short), _server.Counters.Drops(DropReason.Response)));
    }

    [Fact]
    public void Every_cut_of_a_query_is_a_format_error()
    {
        var query = new Query("mx.example.com", "MX") { UdpSize = 1232, Options = _cookieOption }.ToBytes();
        for (var length = 12; length < query.Length; length++)
        {
            var reply = _server.Answer(query[..length]);
            Assert.Equal(("FORMERR", null, 12), (reply.Code, reply.Question, reply.Length));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(15)]
    public void Other_operations_are_not_implemented(int operation)
    {
        var reply = _server.Answer(new Query("mx.example.com", "SOA") { Flags = (byte)(operation << 3) }.ToBytes());
        Assert.Equal(("NOTIMP", operation), (reply.Code, reply.Flags >> 3 & 0xF));
    }

    public static TheoryData<string, string> Malformed => new()
    {
        { "no question", "BEEF 0000 0000 0000 0000 0000" },
        { "two questions", "BEEF 0000 0002 0000 0000 0000 00 0001 0001 00 0001 0001" },
        { "an answer in a query", "BEEF 0000 0001 0001 0000 0000 00 0001 0001 00 0001 0001 00000000 0000" },
        { "two records of authority", "BEEF 0000 0001 0000 0002 0000 00 0001 0001 00 0006 0001 00000000 0000 00 0006 0001 00000000 0000" },
        { "a pointer to itself as the name", "BEEF 0000 0001 0000 0000 0000 C00C 0001 0001" },
        { "a pointer into the header", "BEEF 0000 0001 0000 0000 0000 01 61 C000 0001 0001" },
        { "a label of another kind", "BEEF 0000 0001 0000 0000 0000 41 61 00 0001 0001" },
        { "a label of another kind, were it one of 65 bytes", "BEEF 0000 0001 0000 0000 0000 41" + string.Concat(Enumerable.Repeat("61", 65)) + " 00 0001 0001" },
        { "a label that is too long for the message", "BEEF 0000 0001 0000 0000 0000 3F 61 00 0001 0001" },
        { "a byte too much", "BEEF 0000 0001 0000 0000 0000 00 0001 0001 FF" },
        { "a record that no count tells of", "BEEF 0000 0001 0000 0000 0000 00 0001 0001 00 0029 04D0 00000000 0000" },
        { "two OPT records", "BEEF 0000 0001 0000 0000 0002 00 0001 0001 00 0029 04D0 00000000 0000 00 0029 04D0 00000000 0000" },
        { "an OPT record of another owner", "BEEF 0000 0001 0000 0000 0001 00 0001 0001 01 61 00 0029 04D0 00000000 0000" },
        { "an OPT record by pointer", "BEEF 0000 0001 0000 0000 0001 00 0001 0001 C00C 0029 04D0 00000000 0000" },
        { "an OPT record of authority", "BEEF 0000 0001 0000 0001 0000 00 0001 0001 00 0029 04D0 00000000 0000" },
        { "half an option", "BEEF 0000 0001 0000 0000 0001 00 0001 0001 00 0029 04D0 00000000 0003 000A00" },
        { "an option longer than its record", "BEEF 0000 0001 0000 0000 0001 00 0001 0001 00 0029 04D0 00000000 0005 000A0002FF" },
        { "a record whose owner points at itself", "BEEF 0000 0001 0000 0000 0001 00 0001 0001 C011 0001 0001 00000000 0000" },
        { "a record whose owner points forward", "BEEF 0000 0001 0000 0000 0001 00 0001 0001 C013 0001 0001 00000000 0000" },
        { "a question for OPT", "BEEF 0000 0001 0000 0000 0000 00 0029 0001" },
        { "a name of 256 bytes", "BEEF 0000 0001 0000 0000 0000" + string.Concat(Enumerable.Repeat(" 3F" + string.Concat(Enumerable.Repeat("61", 63)), 3)) + " 3E" + string.Concat(Enumerable.Repeat("61", 62)) + " 00 0001 0001" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void What_is_no_query_is_a_format_error(string what, string message)
    {
        var reply = _server.Answer(Convert.FromHexString(message.Replace(" ", "", StringComparison.Ordinal)));
        Assert.True(reply.Code == "FORMERR", $"{what}: {reply.Code}");
        Assert.Equal(0xBEEF, reply.Id);
    }

    [Fact]
    public void Records_that_mean_nothing_here_do_not_harm()
    {
        // A TSIG-like record behind OPT, its owner a pointer to the question's name; and IXFR's SOA.
        byte[] other = [0xC0, 0x0C, 0, 250, 0, 255, 0, 0, 0, 0, 0, 1, 0xFF];
        var reply = _server.Answer(new Query("mx.example.com", "MX") { Tail = [.. Query.Opt(1232), .. other], Counts = [1, 0, 0, 2] }.ToBytes());
        Assert.Equal(("NOERROR", 2), (reply.Code, reply.Answers.Count));
        Assert.NotNull(reply.Opt);
        var transfer = _server.Answer(new Query("mx.example.com", "IXFR") { Tail = [0xC0, 0x0C, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0], Counts = [1, 0, 1, 0] }.ToBytes());
        Assert.Equal("REFUSED", transfer.Code);
    }

    [Theory]
    [InlineData("MX", "mx.example.com", "NOERROR")]
    [InlineData("A", "no.mx.example.com", "NXDOMAIN")]
    [InlineData("A", "example.com", "REFUSED")]
    [InlineData("AXFR", "mx.example.com", "REFUSED")]
    [InlineData("MAILA", "mx.example.com", "NOTIMP")]
    public void An_edns_query_gets_an_opt_record_without_the_options_it_brought(string type, string name, string code)
    {
        var reply = _server.Answer(new Query(name, type) { UdpSize = 4096, Options = _cookieOption }.ToBytes());
        Assert.Equal((code, (ushort)1232), (reply.Code, reply.OptSize));
        Assert.Equal([0, 0, 0, 0], reply.Opt);
        Assert.Null(_server.Ask(name, type).Opt);
    }

    [Fact]
    public void The_do_bit_comes_back() =>
        Assert.Equal([0, 0, 0x80, 0], _server.Answer(new Query("mx.example.com", "MX") { UdpSize = 1232, DnssecOk = true }.ToBytes()).Opt);

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    public void Another_edns_version_is_told_the_right_one(int version)
    {
        var reply = _server.Answer(new Query("mx.example.com", "MX") { UdpSize = 1232, Version = (byte)version }.ToBytes());
        Assert.Equal(("BADVERS", false), (reply.Code, reply.IsAuthoritative));
        Assert.Equal(0, reply.Opt![1]);
        Assert.Empty(reply.Answers);
    }

    [Theory]
    [InlineData(null, 512)]
    [InlineData(0, 512)]
    [InlineData(511, 512)]
    [InlineData(700, 700)]
    [InlineData(1232, 1232)]
    [InlineData(65535, 1232)]
    public void A_udp_answer_is_no_larger_than_the_client_and_the_path_take(int? clientSize, int limit)
    {
        // Each further record makes the answer 12 + 51 bytes longer; the sizes around every limit occur.
        for (var count = 1; count < 24; count++)
        {
            var server = new TestResponder(TestZones.Head + string.Concat(Enumerable.Range(10, count).Select(i => $"big TXT \"{new string('x', 48)}{i}\"\n")));
            var query = new Query("big.mx.example.com", "TXT") { UdpSize = (ushort?)clientSize }.ToBytes();
            var whole = server.Answer(query, Transport.Tcp);
            Assert.Equal((count, false), (whole.Answers.Count, whole.IsTruncated));
            var reply = server.Answer(query);
            Assert.InRange(reply.Length, 12, limit);
            Assert.Equal(whole.Length > limit, reply.IsTruncated);
            Assert.Equal(whole.Length > limit ? 0 : count, reply.Answers.Count);
            Assert.Equal(clientSize is not null, reply.Opt is not null);
            Assert.Equal(whole.Length > limit ? 1 : 0, server.Counters.Truncated);
        }
    }

    [Fact]
    public void Additional_addresses_that_do_not_fit_are_left_out_without_saying_so_unless_they_are_glue()
    {
        var servers = string.Concat(Enumerable.Range(0, 13).Select(i => $"@ NS s{i}\nchild NS s{i}.child\ns{i} A 192.0.2.{i}\ns{i} AAAA 2001:db8::{i}\ns{i}.child A 192.0.2.{i}\ns{i}.child AAAA 2001:db8::{i}\n"));
        var server = new TestResponder("$TTL 300\n@ SOA s0 h 1 1 1 1 1\n" + servers);
        var apex = server.Ask("mx.example.com", "NS");
        Assert.Equal((13, 0, false), (apex.Answers.Count, apex.Additionals.Count, apex.IsTruncated));
        var referral = server.Ask("x.child.mx.example.com", "A");
        Assert.Equal((13, 0, true), (referral.Authorities.Count, referral.Additionals.Count, referral.IsTruncated));
        Assert.Equal(26, server.Ask("x.child.mx.example.com", "A", Transport.Tcp).Additionals.Count);
        Assert.Equal(26, server.Answer(new Query("x.child.mx.example.com", "A") { UdpSize = 1232 }.ToBytes()).Additionals.Count);
    }
}
