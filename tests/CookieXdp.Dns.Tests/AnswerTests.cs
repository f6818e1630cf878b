using CookieXdp.Dns.Answers;

namespace CookieXdp.Dns.Tests;

/// <summary>What is answered to queries that are right.</summary>
public sealed class AnswerTests
{
    private const string Authority = "mx.example.com. 60 SOA ns1.mx.example.com. hostmaster.mx.example.com. 2024 3600 900 1209600 60";

    private readonly TestResponder _server = new();

    [Theory]
    [InlineData("mx.example.com", "MX", "mx.example.com. 300 MX 10 a.mx.example.com.", "mx.example.com. 300 MX 20 b.mx.example.com.")]
    [InlineData("mx.example.com", "TXT", "mx.example.com. 300 TXT \"v=spf1 -all\"")]
    [InlineData("mx.example.com", "SOA", "mx.example.com. 300 SOA ns1.mx.example.com. hostmaster.mx.example.com. 2024 3600 900 1209600 60")]
    [InlineData("static.mx.example.com", "A", "static.mx.example.com. 300 A 192.0.2.80")]
    [InlineData("static.mx.example.com", "AAAA", "static.mx.example.com. 300 AAAA 2001:db8:1::80")]
    public void A_name_answers_for_the_types_it_owns(string name, string type, params string[] answers)
    {
        var reply = _server.Ask(name, type);
        Assert.Equal(("NOERROR", true, false), (reply.Code, reply.IsAuthoritative, reply.IsTruncated));
        Assert.Equal(answers, reply.Answers);
        Assert.Empty(reply.Authorities);
        Assert.Empty(reply.Additionals);
        Assert.Null(reply.Opt);
    }

    [Fact]
    public void Name_servers_come_with_their_addresses_in_the_zone()
    {
        var reply = _server.Ask("mx.example.com", "NS");
        Assert.Equal(["mx.example.com. 300 NS ns1.mx.example.com.", "mx.example.com. 300 NS ns2.example.net."], reply.Answers);
        Assert.Equal(["ns1.mx.example.com. 300 A 192.0.2.53", "ns1.mx.example.com. 300 AAAA 2001:db8:1::53"], reply.Additionals);
    }

    [Theory]
    [InlineData("a.mx.example.com", "A")] // every MTA asks a template name for A
    [InlineData("a.mx.example.com", "MX")]
    [InlineData("mx.example.com", "A")]
    [InlineData("static.mx.example.com", "65")]
    [InlineData("empty.mx.example.com", "A")] // owns nothing, but a name below it does
    [InlineData("empty.mx.example.com", "ANY")]
    [InlineData("child.mx.example.com", "DS")] // the parent's own, although the name is delegated
    public void A_type_that_a_name_lacks_is_no_error_and_no_answer(string name, string type)
    {
        var reply = _server.Ask(name, type);
        Assert.Equal(("NOERROR", true), (reply.Code, reply.IsAuthoritative));
        Assert.Empty(reply.Answers);
        Assert.Equal([Authority], reply.Authorities);
    }

    [Theory]
    [InlineData("nothing.mx.example.com")]
    [InlineData("x.a.mx.example.com")]
    [InlineData("x.empty.mx.example.com")]
    [InlineData("very.far.down.below.the.apex.mx.example.com")]
    public void A_name_that_is_not_there_is_denied_with_the_negative_ttl(string name)
    {
        var reply = _server.Ask(name, "AAAA");
        Assert.Equal(("NXDOMAIN", true), (reply.Code, reply.IsAuthoritative));
        Assert.Equal([Authority], reply.Authorities);
    }

    [Theory]
    [InlineData("300", 60, 60)]
    [InlineData("30", 60, 30)]
    [InlineData("300", 7200, 300)]
    public void The_negative_ttl_is_the_lesser_of_the_soas_own_and_its_minimum(string ttl, int minimum, int expected)
    {
        var zone = $"$TTL 300\n@ {ttl} SOA ns.example.net. h.example.net. 1 2 3 4 {minimum}\n@ NS ns.example.net.\n";
        Assert.Equal($"mx.example.com. {expected} SOA ns.example.net. h.example.net. 1 2 3 4 {minimum}", Assert.Single(new TestResponder(zone).Ask("x.mx.example.com", "A").Authorities));
    }

    [Theory]
    [InlineData("child.mx.example.com", "A")]
    [InlineData("child.mx.example.com", "NS")]
    [InlineData("child.mx.example.com", "ANY")]
    [InlineData("www.child.mx.example.com", "AAAA")]
    [InlineData("ns.child.mx.example.com", "A")]
    [InlineData("x.ns.child.mx.example.com", "DS")]
    public void A_delegated_name_is_referred_to_its_servers_with_glue(string name, string type)
    {
        var reply = _server.Ask(name, type);
        Assert.Equal(("NOERROR", false, false), (reply.Code, reply.IsAuthoritative, reply.IsTruncated));
        Assert.Empty(reply.Answers);
        Assert.Equal(["child.mx.example.com. 300 NS ns.child.mx.example.com.", "child.mx.example.com. 300 NS ns9.example.net."], reply.Authorities);
        Assert.Equal(["ns.child.mx.example.com. 300 A 192.0.2.99"], reply.Additionals);
    }

    [Fact]
    public void A_zone_served_beside_its_parent_answers_for_itself()
    {
        var child = TestZones.CompileOne("$TTL 30\n@ SOA ns h 1 1 1 1 1\n@ NS ns\nns A 192.0.2.99\ndoor AAAA 2001:db8:25::7\n", "child.mx.example.com");
        var server = new TestResponder(new ServedZones([TestZones.CompileOne(TestZones.Usual), child]));
        Assert.True(server.Ask("child.mx.example.com", "NS").IsAuthoritative);
        Assert.Single(server.Ask("door.child.mx.example.com", "AAAA").Answers);
        Assert.Equal("NXDOMAIN", server.Ask("x.child.mx.example.com", "A").Code);
        Assert.Equal("192.0.2.80", server.Ask("static.mx.example.com", "A").Address.ToString());
    }

    [Theory]
    [InlineData("mx.example.com", "mx.example.com. 300 TXT \"v=spf1 -all\"")] // the smallest of MX, NS, SOA, TXT
    [InlineData("static.mx.example.com", "static.mx.example.com. 300 A 192.0.2.80")]
    public void Any_gives_one_rrset(string name, string answer) => Assert.Equal([answer], _server.Ask(name, "ANY").Answers);

    [Fact]
    public void Any_prefers_what_holds_for_everybody_to_a_minted_address() =>
        Assert.StartsWith("both.mx.example.com. 300 TXT", Assert.Single(new TestResponder(TestZones.Head + $"both AAAA 2001:db8:25::1\nboth TXT {new string('x', 99)}\n").Ask("both.mx.example.com", "ANY").Answers), StringComparison.Ordinal);

    [Fact]
    public void Any_at_a_template_name_mints() =>
        Assert.Equal(_server.Ask("a.mx.example.com", "AAAA").Answers, _server.Ask("a.mx.example.com", "ANY").Answers);

    [Theory]
    [InlineData("example.com", "A")]
    [InlineData("xmx.example.com", "A")]
    [InlineData("", "NS")]
    [InlineData("mx.example.com", "AXFR")]
    [InlineData("mx.example.com", "IXFR")]
    public void What_is_not_served_here_is_refused(string name, string type)
    {
        var reply = _server.Ask(name, type);
        Assert.Equal(("REFUSED", false), (reply.Code, reply.IsAuthoritative));
        Assert.NotNull(reply.Question);
        Assert.Empty(reply.Answers.Concat(reply.Authorities).Concat(reply.Additionals));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(255)]
    public void Classes_other_than_in_are_refused(int @class) =>
        Assert.Equal("REFUSED", _server.Answer(new Query("mx.example.com", "SOA") { Class = (ushort)@class }.ToBytes()).Code);

    [Fact]
    public void The_question_comes_back_in_the_case_it_was_asked_in_and_owners_follow_it()
    {
        var query = new Query("STatiC.mX.eXAMple.COM", "A").ToBytes();
        var reply = _server.Answer(query);
        Assert.Equal(query[12..], reply.QuestionBytes);
        Assert.Equal(["STatiC.mX.eXAMple.COM. 300 A 192.0.2.80"], reply.Answers);
        Assert.Equal("x.CHILD.mX.eXAMple.com. 28 1", _server.Ask("x.CHILD.mX.eXAMple.com", "AAAA").Question);
        Assert.Equal("CHILD.mX.eXAMple.com.", _server.Ask("x.CHILD.mX.eXAMple.com", "AAAA").Authorities[0].Split(' ')[0]);
        Assert.Equal("mX.example.com.", _server.Ask("NO.mX.example.com", "AAAA").Authorities[0].Split(' ')[0]);
    }

    [Fact]
    public void Only_ascii_letters_have_case()
    {
        // '@' and '`', '[' and '{' differ by the same bit that tells 'A' from 'a'.
        var server = new TestResponder(TestZones.Head + "\\@\\[ TXT x\n");
        Assert.Equal("NOERROR", server.Ask("@[.mx.example.com", "TXT").Code);
        Assert.Equal("NXDOMAIN", server.Ask("`{.mx.example.com", "TXT").Code);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void Recursion_desired_comes_back_and_recursion_is_never_available(int flags, bool desired)
    {
        var reply = _server.Answer(new Query("mx.example.com", "MX") { Flags = (byte)flags, Id = 77 }.ToBytes());
        Assert.Equal((desired, 0, (ushort)77), (reply.RecursionDesired, reply.LowFlags & 0x80, reply.Id));
    }

    [Fact]
    public void Names_in_answers_are_compressed()
    {
        // header 12, question 20, then two records of 2 + 10 + 2 (preference) + 2 (label) + 2 (pointer)
        Assert.Equal(12 + 20 + 2 * 18, _server.Ask("mx.example.com", "MX").Length);
    }

    [Fact]
    public void A_long_text_goes_out_in_strings_of_255()
    {
        var text = string.Concat(Enumerable.Range(0, 600).Select(i => (char)('a' + i % 26)));
        var reply = new TestResponder(TestZones.Head + $"key TXT \"{text}\"\n").Answer(new Query("key.mx.example.com", "TXT") { UdpSize = 1232 }.ToBytes());
        Assert.Equal([$"key.mx.example.com. 300 TXT \"{text[..255]}\" \"{text[255..510]}\" \"{text[510..]}\""], reply.Answers);
    }

    [Fact]
    public void The_root_can_be_no_zone_and_a_name_of_255_bytes_is_answered()
    {
        var label = new string('x', 63);
        var name = $"{label}.{label}.{label}.{new string('y', 255 - 1 - 16 + 1 - 3 * 64 - 1)}.mx.example.com";
        Assert.Equal(255, Query.WireName(name).Length);
        var reply = _server.Ask(name, "A");
        Assert.Equal("NXDOMAIN", reply.Code);
        Assert.Equal([Authority], reply.Authorities);
    }
}
