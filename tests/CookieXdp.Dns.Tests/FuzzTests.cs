using System.Text;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Messages;
using CookieXdp.Dns.Zones;
using CsCheck;

namespace CookieXdp.Dns.Tests;

/// <summary>Whatever comes is answered in the right shape or not at all; whatever a zone file holds is told, never thrown.</summary>
public sealed class FuzzTests
{
    private static readonly string[] _names =
    [
        "mx.example.com", "a.mx.example.com", "A.mX.EXAMPLE.com", "b.mx.example.com", "static.mx.example.com", "knock.mx.example.com", "empty.mx.example.com",
        "x.child.mx.example.com", "nothing.mx.example.com", "example.com", "",
    ];

    private static readonly ServedZones _zones = TestZones.Compile(TestZones.Usual);

    private static readonly Gen<byte[]> _rightQuery =
        from name in OneOf(_names)
        from type in OneOf("A", "AAAA", "MX", "NS", "SOA", "TXT", "ANY", "AXFR", "DS", "12345")
        from size in OneOf<ushort?>(null, 0, 512, 1232, 65535)
        from version in OneOf<byte>(0, 0, 0, 1)
        from flags in OneOf<byte>(0, 1)
        from dnssecOk in Gen.Bool
        from options in OneOf<byte[]>([], [0, 10, 0, 2, 9, 9])
        select new Query(name, type) { UdpSize = size, Version = version, Flags = flags, DnssecOk = dnssecOk, Options = options }.ToBytes();

    private static readonly Gen<byte[]> _mutatedQuery =
        from query in _rightQuery
        from edits in Gen.Select(Gen.Int[0, 3], Gen.Int[0, 400], Gen.OneOf(Gen.Byte, OneOf<byte>(0, 1, 0x3F, 0x40, 0xC0, 0xFF))).Array[0, 6]
        select edits.Aggregate(query, Edit);

    [Fact]
    public void Right_queries_are_answered_in_the_right_shape() => _rightQuery.Sample(query => CheckShape(query, mustBeWhole: true), iter: 20_000);

    [Fact]
    public void Mutated_queries_are_answered_in_the_right_shape_or_not_at_all() => _mutatedQuery.Sample(query => CheckShape(query), iter: 200_000);

    [Fact]
    public void Random_bytes_are_answered_in_the_right_shape_or_not_at_all() => Gen.Byte.Array[0, 600].Sample(query => CheckShape(query), iter: 50_000);

    [Fact]
    public void A_mutated_zone_file_is_loaded_or_refused_in_words()
    {
        var edits = Gen.Select(Gen.Int[0, 4], Gen.Int[0, 2000], Gen.OneOf(Gen.Char[' ', '~'], OneOf('(', ')', '"', ';', '\\', '\n', '\t', '\0', '@', '$', '.', '\u00FF', '9')));
        var loaded = 0;
        edits.Array[0, 8].Sample(
            all =>
            {
                var text = all.Aggregate(TestZones.Usual, EditText);
                ServedZones zones;
                try
                {
                    zones = TestZones.Compile(text);
                }
                catch (ZoneException e)
                {
                    Assert.NotEmpty(e.Errors);
                    return;
                }
                Interlocked.Increment(ref loaded);
                var server = new TestResponder(zones);
                foreach (var name in _names)
                    CheckShape(server, new Query(name, "ANY").ToBytes(), Transport.Udp, mustBeWhole: true);
            },
            iter: 20_000);
        // Were every file refused, the answers would not have been looked at.
        Assert.InRange(loaded, 1000, 19_000);
    }

    [Fact]
    public void Random_text_is_loaded_or_refused_in_words() =>
        Gen.Char['\0', '\u00FF'].Array[0, 300].Sample(text => Assert.NotEmpty(TestZones.ErrorsOf(new string(text))), iter: 20_000);

    [Fact]
    public void A_name_reads_back_from_its_text() =>
        Gen.Byte.Array[1, 20].Array[0, 8].Sample(
            labels =>
            {
                byte[] wire = [.. labels.SelectMany(label => (byte[])[(byte)label.Length, .. label]), 0];
                var name = DnsName.FromWire(wire);
                var text = name.ToString();
                Assert.True(text.All(char.IsAscii));
                // Bytes outside ASCII are legal in DNS and shown, but no name here may be written with them.
                var isWritable = labels.All(label => label.All(value => value <= 0x7E));
                Assert.Equal(isWritable, DnsName.TryParse(text, DnsName.Root, out var again, out _));
                Assert.True(!isWritable || again!.Wire.SequenceEqual(wire));
            },
            iter: 20_000);

    private static void CheckShape(byte[] query, bool mustBeWhole = false)
    {
        var server = new TestResponder(_zones);
        CheckShape(server, query, Transport.Udp, mustBeWhole);
        CheckShape(server, query, Transport.Tcp, mustBeWhole);
    }

    private static void CheckShape(TestResponder server, byte[] query, Transport transport, bool mustBeWhole)
    {
        var bytes = server.AnswerBytes(query, transport);
        if (query.Length < 12 || (query[2] & 0x80) != 0)
        {
            Assert.Empty(bytes);
            return;
        }
        var reply = Reply.Read(bytes);
        Assert.Equal(query[..2], bytes[..2]);
        Assert.Equal(query[2] & 0x79, bytes[2] & 0x79);
        Assert.True(reply.LowFlags < 0x10);
        Assert.InRange(reply.Length, 12, transport == Transport.Tcp ? Wire.MaxMessageLength : Wire.MaxUdpSize);
        Assert.True(reply.Opt is not null || reply.Length <= 512 || transport == Transport.Tcp);
        if (reply.Question is null)
            Assert.Contains(reply.Code, (string[])["FORMERR", "NOTIMP"]);
        else
            Assert.Equal(query[12..(12 + reply.QuestionBytes.Length)], reply.QuestionBytes);
        if (reply.Code is not ("NOERROR" or "NXDOMAIN"))
            Assert.Empty(reply.Answers.Concat(reply.Authorities).Concat(reply.Additionals));
        if (mustBeWhole)
            Assert.Equal(query[11] == 1, reply.Opt is not null);
        Assert.False(mustBeWhole && reply.Question is null);
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(index => values[index]);

    private static byte[] Edit(byte[] query, (int Kind, int At, byte Value) edit)
    {
        if (query.Length == 0)
            return [edit.Value];
        var at = edit.At % query.Length;
        return edit.Kind switch
        {
            0 => [.. query[..at], edit.Value, .. query[(at + 1)..]],
            1 => [.. query[..at], edit.Value, .. query[at..]],
            2 => query[..at],
            _ => [.. query[..at], .. query[(at + 1)..]],
        };
    }

    private static string EditText(string text, (int Kind, int At, char Value) edit)
    {
        var at = edit.At % text.Length;
        return edit.Kind switch
        {
            0 => text[..at] + edit.Value + text[(at + 1)..],
            1 => text[..at] + edit.Value + text[at..],
            2 => text.Remove(at, 1),
            3 => text + text[at..Math.Min(text.Length, at + 40)],
            _ => new StringBuilder(text).Insert(at, "\n").ToString(),
        };
    }
}
