using System.Net;
using System.Text;
using ARSoft.Tools.Net;
using ARSoft.Tools.Net.Dns;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Tests;

/// <summary>Another implementation (ARSoft.Tools.Net) reads our answers, asks us, and reads our zone files.</summary>
public sealed class OracleTests
{
    private static readonly string[] _names =
        ["mx.example.com", "a.mx.example.com", "static.mx.example.com", "ns1.mx.example.com", "empty.mx.example.com", "x.child.mx.example.com", "nothing.mx.example.com", "example.org"];

    private static readonly string[] _types = ["A", "AAAA", "MX", "NS", "SOA", "TXT", "ANY"];

    [Fact]
    public void Another_reader_of_messages_sees_the_same_answers()
    {
        var server = new TestResponder();
        foreach (var (name, type, size) in _names.SelectMany(name => _types.SelectMany(type => new ushort?[] { null, 1232 }.Select(size => (name, type, size)))))
        {
            var bytes = server.AnswerBytes(new Query(name, type) { UdpSize = size }.ToBytes());
            var ours = Reply.Read(bytes);
            var theirs = DnsMessage.Parse(new ArraySegment<byte>(bytes));
            Assert.Equal((ours.Id, ours.IsAuthoritative, ours.IsTruncated, false), (theirs.TransactionID, theirs.IsAuthoritiveAnswer, theirs.IsTruncated, theirs.IsQuery));
            Assert.Equal(ours.Code, theirs.ReturnCode switch { ReturnCode.NoError => "NOERROR", ReturnCode.NxDomain => "NXDOMAIN", ReturnCode.Refused => "REFUSED", var other => other.ToString() });
            Assert.Equal(ours.Answers, theirs.AnswerRecords.Select(Text));
            Assert.Equal(ours.Authorities, theirs.AuthorityRecords.Select(Text));
            Assert.Equal(ours.Additionals, theirs.AdditionalRecords.Where(record => record is not OptRecord).Select(Text));
            Assert.Equal(size, theirs.EDnsOptions?.UdpPayloadSize);
        }
    }

    [Fact]
    public async Task Another_client_gets_its_answers_by_both_transports()
    {
        await using var server = TestServer.Start(TestZones.Usual);
        foreach (var isTcp in new[] { false, true })
        {
            IClientTransport transport = isTcp ? new TcpClientTransport(server.Port) : new UdpClientTransport(server.Port);
            using (transport)
            {
                var client = new DnsClient([IPAddress.Loopback], [transport], queryTimeout: 5000) { Is0x20ValidationEnabled = true };
                var mx = await client.ResolveAsync(DomainName.Parse("mx.example.com"), RecordType.Mx, token: TestContext.Current.CancellationToken);
                Assert.Equal(["a.mx.example.com.", "b.mx.example.com."], mx!.AnswerRecords.OfType<MxRecord>().OrderBy(record => record.Preference).Select(record => record.ExchangeDomainName.ToString()), StringComparer.OrdinalIgnoreCase);
                var minted = await client.ResolveAsync(DomainName.Parse("a.mx.example.com"), RecordType.Aaaa, token: TestContext.Current.CancellationToken);
                var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
                Assert.True(TestZones.KeysAt(now, TestZones.Prefix).TryOpen(Assert.Single(minted!.AnswerRecords.OfType<AaaaRecord>()).Address.GetAddressBytes(), now, out var cookie));
                Assert.Equal((1, isTcp), (cookie.Service, cookie.Verified));
                var nothing = await client.ResolveAsync(DomainName.Parse("nothing.mx.example.com"), RecordType.A, token: TestContext.Current.CancellationToken);
                Assert.Equal(ReturnCode.NxDomain, nothing!.ReturnCode);
            }
        }
    }

    [Fact]
    public void Another_reader_of_master_files_sees_the_same_records()
    {
        // That one takes the TTL of the record before where $TTL holds (RFC 2308 §4), so those with their own come last.
        const string file = """
            $ORIGIN mx.example.com.
            $TTL 300
            @ IN SOA ns1.mx.example.com. hostmaster.example.com. ( 7 3600 ; refresh
                 900 1209600 60 )
            @ IN NS ns1.mx.example.com.
            @ IN TXT "two words" "and ; more"
            ns1 IN A 192.0.2.1
            a IN AAAA 2001:db8:25::1
            $ORIGIN sub.mx.example.com.
            x IN A 192.0.2.2
            $ORIGIN mx.example.com.
            @ 60 IN MX 10 a
            ns1 60 IN AAAA 2001:db8::1
            """;
        var theirs = Zone.ParseMasterFile(DomainName.Parse("mx.example.com"), new MemoryStream(Encoding.ASCII.GetBytes(file)));
        var errors = new ZoneErrors("zone");
        var ours = MasterFileReader.Read(file, ZoneFile.ReadName("mx.example.com", errors)!, errors);
        Assert.Empty(errors.InOrder());
        Assert.Equal(theirs.Select(Text).Order(StringComparer.Ordinal), ours.Select(record => Reply.Read(Message(record)).Answers[0]).Order(StringComparer.Ordinal));
    }

    private static byte[] Message(ZoneRecord record)
    {
        var builder = new AnswerBuilder(DnsName.Root);
        builder.Answer(record);
        return [0, 0, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, .. builder.Build().Body];
    }

    /// <summary>In the form of <see cref="Reply"/>.</summary>
    private static string Text(DnsRecordBase record) => $"{record.Name} {record.TimeToLive} " + record switch
    {
        ARecord a => $"A {a.Address}",
        AaaaRecord aaaa => $"AAAA {aaaa.Address}",
        MxRecord mx => $"MX {mx.Preference} {mx.ExchangeDomainName}",
        NsRecord ns => $"NS {ns.NameServer}",
        SoaRecord soa => $"SOA {soa.MasterName} {soa.ResponsibleName} {soa.SerialNumber} {soa.RefreshInterval} {soa.RetryInterval} {soa.ExpireInterval} {soa.NegativeCachingTTL}",
        TxtRecord txt => "TXT " + string.Join(' ', txt.TextParts.Select(part => $"\"{part}\"")),
        _ => record.ToString(),
    };
}
