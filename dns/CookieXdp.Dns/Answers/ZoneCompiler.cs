using System.Buffers.Binary;
using CookieXdp.Dns.Messages;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Answers;

/// <summary>Makes the answers of a zone that <see cref="ZoneRules"/> found right.</summary>
internal sealed class ZoneCompiler
{
    private readonly ZoneContent _zone;
    private readonly ProtectedServices _services;
    private readonly Dictionary<DnsName, CompiledAnswer> _referrals = [];
    private int _templates;

    private ZoneCompiler(ZoneContent zone, ProtectedServices services)
    {
        _zone = zone;
        _services = services;
    }

    /// <summary>Makes the answers.</summary>
    internal static ServedZone Compile(ZoneContent zone, ProtectedServices services) => new ZoneCompiler(zone, services).Compile();

    private ServedZone Compile()
    {
        var authority = _zone.Of(_zone.Apex, RecordType.Soa).Single();
        var minimum = BinaryPrimitives.ReadUInt32BigEndian(authority.Data.AsSpan(authority.Data.Length - 4));
        var serial = BinaryPrimitives.ReadUInt32BigEndian(authority.Data.AsSpan(authority.Data.Length - 20));
        var negative = new AnswerBuilder(_zone.Apex);
        negative.Authority(authority, Math.Min(authority.Ttl, minimum));

        var nodes = new Dictionary<DnsName, ZoneNode>();
        foreach (var owner in _zone.Owners)
            nodes.Add(owner, CompileNode(owner));
        // Names between an owner and the apex exist although they own nothing.
        foreach (var owner in _zone.Owners)
        {
            for (var name = owner; !name.Equals(_zone.Apex); name = name.Parent)
            {
                if (!nodes.ContainsKey(name))
                    nodes.Add(name, new ZoneNode([], any: null, ReferralOf(name)));
            }
        }
        return new(
            _zone.Apex, serial, _zone.Records.Count, _templates, new NameTable<ZoneNode>(nodes), negative.Build(),
            HasCuts: _referrals.Count > 0, LongestAnswer: nodes.Values.Max(node => node.LongestAnswer));
    }

    private ZoneNode CompileNode(DnsName owner)
    {
        if (ReferralOf(owner) is { } referral)
            return new([], any: null, referral);
        var answers = _zone.TypesOf(owner).Select(type => (Type: type, Answer: CompileSet(owner, type))).ToList();
        var any = answers.OrderBy(each => each.Answer.Minted is not null).ThenBy(each => each.Answer.AdditionalAt).ThenBy(each => each.Type).First().Answer;
        return new(answers, any, referral: null);
    }

    private CompiledAnswer CompileSet(DnsName owner, ushort type)
    {
        var builder = new AnswerBuilder(owner);
        foreach (var record in _zone.Of(owner, type))
        {
            if (type == RecordType.Aaaa && _services.IsTemplate(record.Data, out var service))
            {
                builder.Answer(record, service!);
                _templates++;
            }
            else
            {
                builder.Answer(record);
            }
        }
        // Beside MX there is no address: a minted one would be cached for whoever asks through that resolver, and some senders take
        // a static one alone for all there is.
        if (type == RecordType.Ns)
            AddServers(builder, _zone.Of(owner, type));
        return builder.Build();
    }

    private CompiledAnswer? ReferralOf(DnsName name)
    {
        if (_zone.CutOf(name) is not { } cut)
            return null;
        if (_referrals.TryGetValue(cut, out var referral))
            return referral;
        var servers = _zone.Of(cut, RecordType.Ns).ToList();
        var builder = new AnswerBuilder(cut);
        foreach (var record in servers)
            builder.Authority(record, record.Ttl);
        AddServers(builder, servers);
        referral = builder.Build(isAuthoritative: false, needsAdditional: servers.Exists(record => record.Target!.IsAtOrBelow(cut)));
        _referrals.Add(cut, referral);
        return referral;
    }

    private void AddServers(AnswerBuilder builder, IEnumerable<ZoneRecord> servers)
    {
        foreach (var target in servers.Select(record => record.Target!).Distinct())
        {
            foreach (var address in _zone.AddressesOf(target))
                builder.Additional(address);
        }
    }
}
