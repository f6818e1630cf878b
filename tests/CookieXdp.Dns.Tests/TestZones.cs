using System.Net;
using CookieXdp.Cookies;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Zones;
using CookieXdp.Hosting;

namespace CookieXdp.Dns.Tests;

/// <summary>The configuration and zones that tests begin with.</summary>
internal static class TestZones
{
    internal const long Now = 1_700_000_000;

    internal const string Prefixes = """
        keyring = "keyring"
        [[prefix]]
        prefix = "2001:db8:25::/48"
        [[prefix.service]]
        id = 1
        name = "smtp"
        ports = [25]
        [[prefix.service]]
        id = 7
        name = "ssh"
        ports = [22]
        mintEvery = "64s"
        freshFor = "300s"
        [[prefix]]
        prefix = "2001:db8:26::/48"
        [[prefix.service]]
        id = 1
        name = "smtp"
        ports = [25]

        """;

    internal const string Head = """
        $TTL 300
        @ SOA ns1 hostmaster 2024 3600 900 1209600 60
        @ NS ns1
        @ NS ns2.example.net.
        ns1 A 192.0.2.53
        ns1 AAAA 2001:db8:1::53

        """;

    internal const string Usual = Head + """
        @ MX 10 a
        @ MX 20 b
        @ TXT "v=spf1 -all"
        a AAAA 2001:db8:25::1
        b AAAA 2001:db8:26::1
        static A 192.0.2.80
        static AAAA 2001:db8:1::80
        knock 30 AAAA 2001:db8:25::7
        deep.empty TXT deep
        child NS ns.child
        child NS ns9.example.net.
        ns.child A 192.0.2.99

        """;

    internal static readonly CookiePrefix Prefix = CookiePrefix.Parse("2001:db8:25::/48");

    internal static readonly Settings Settings = SettingsFile.Parse("test.toml", Prefixes);

    internal static readonly ProtectedServices Services = new(Settings.Prefixes);

    internal static MasterSecret Master => MasterSecret.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    /// <summary>Reads, checks and compiles a zone as the loader does, without a file.</summary>
    internal static ServedZones Compile(string text, string name = "mx.example.com") => new([CompileOne(text, name)]);

    internal static ServedZone CompileOne(string text, string name = "mx.example.com")
    {
        var errors = new ZoneErrors("zone");
        var apex = ZoneFile.ReadName(name, errors)!;
        var content = new ZoneContent(apex, MasterFileReader.Read(text, apex, errors));
        ZoneRules.Check(content, Services, errors);
        ZoneRules.CheckServers([(content, errors)], Services);
        return errors.IsEmpty ? ZoneCompiler.Compile(content, Services) : throw new ZoneException([.. errors.InOrder()]);
    }

    /// <summary>What is wrong with a zone, as it is told.</summary>
    internal static IReadOnlyList<string> ErrorsOf(string text, string name = "mx.example.com")
    {
        try
        {
            Compile(text, name);
            return [];
        }
        catch (ZoneException e)
        {
            return [.. e.Errors.Select(error => error.ToString())];
        }
    }

    internal static Keyring KeyringAt(long unixSeconds) =>
        Keyring.Read(Keyring.Write([Master], [.. Settings.Prefixes.Select(prefix => prefix.Prefix)], 1, unixSeconds));

    internal static PrefixKeys KeysAt(long unixSeconds, CookiePrefix prefix) => PrefixKeys.Derive(Master, prefix, unixSeconds);
}

/// <summary>A responder over memory: a query in, its reply out.</summary>
internal sealed class TestResponder
{
    private readonly byte[] _response = new byte[65_535];

    internal TestResponder(string zone = TestZones.Usual, long? keysAt = TestZones.Now)
        : this(TestZones.Compile(zone), keysAt)
    {
    }

    internal TestResponder(ServedZones zones, long? keysAt = TestZones.Now)
    {
        var keys = new MintingKeys(TestZones.Services.Prefixes);
        if (keysAt is { } at)
            keys.Use(TestZones.KeyringAt(at));
        Responder = new QueryResponder(zones, keys);
    }

    internal QueryResponder Responder { get; }

    internal QueryCounters Counters { get; } = new(TestZones.Services.ByIndex.Count, isShared: false);

    internal byte[] AnswerBytes(ReadOnlySpan<byte> query, Transport transport = Transport.Udp, string from = "192.0.2.200", long at = TestZones.Now)
    {
        var context = new QueryContext(ResolverNetwork.FromAddress(IPAddress.Parse(from)), transport, at, Counters);
        return _response[..Responder.Answer(query, context, _response)];
    }

    internal Reply Answer(byte[] query, Transport transport = Transport.Udp, string from = "192.0.2.200", long at = TestZones.Now) =>
        Reply.Read(AnswerBytes(query, transport, from, at));

    internal Reply Ask(string name, string type, Transport transport = Transport.Udp, string from = "192.0.2.200", long at = TestZones.Now) =>
        Answer(new Query(name, type).ToBytes(), transport, from, at);
}
