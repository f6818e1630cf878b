using System.Globalization;
using System.Net.NetworkInformation;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>Plays the cases of Packets/*.txt: each frame in must become exactly the frame, or be dropped for exactly the reason, that the file says.</summary>
public sealed class PathScriptTests
{
    private static readonly IReadOnlyList<PathScript> _scripts = PathScript.LoadAll();

    private static readonly Dictionary<string, string> _names = new()
    {
        ["client"] = Rig.Client,
        ["backend"] = Rig.Backend,
        ["cookie"] = Rig.Mint(),
        ["another"] = Rig.Mint("198.51.100.1"),
        ["expired"] = Rig.Mint(age: 7300),
        ["unknown"] = Rig.Mint(service: 3),
        ["knocking"] = Rig.Mint(service: 5),
        ["oldknock"] = Rig.Mint(service: 5, age: 7300),
        ["false"] = "2001:db8:25:1234:5678:9abc:def0:1234",
        ["edge"] = "2001:db8:e::1",
        ["edge-inside"] = "fd00:25::1",
        ["router"] = "2001:db8:f::1",
        ["router-inside"] = "fd00:25::f",
        ["other"] = "2001:db8:d::9",
        ["neighbour"] = "fe80::c",
        ["group"] = "ff02::1:ff00:1",
        ["all-nodes"] = "ff02::1",
    };

    /// <summary>Frames in words, with these names.</summary>
    internal static PacketText Text { get; } = new(_names);

    public static TheoryData<string> Names => [.. _scripts.Select(script => script.ToString())];

    [Fact]
    public void No_two_cases_have_one_name() => Assert.Equal(_scripts.Count, _scripts.Select(script => script.ToString()).Distinct(StringComparer.Ordinal).Count());

    [Theory]
    [MemberData(nameof(Names))]
    public void A_frame_becomes_what_its_row_says(string name)
    {
        var script = _scripts.Single(script => script.ToString() == name);
        using var rig = new Rig(withAnswers: true);
        Rig.Outcome? last = null;
        var replies = Enum.GetValues<ReplyKind>().ToDictionary(kind => kind, _ => 0L);
        foreach (var (line, text) in script.Lines)
        {
            var at = string.Create(CultureInfo.InvariantCulture, $"{script.File}.txt:{line}: {text}");
            var (word, rest) = text.Split(' ', 2) is [var first, var second] ? (first, second.Trim()) : (text, "");
            switch (word)
            {
                case "with":
                    Arrange(rig, rest);
                    break;
                case "uplink<" or "inside<":
                    Assert.True(last is null, $"{at}: what became of the frame before?");
                    var from = word == "uplink<" ? Side.Uplink : Side.Inside;
                    last = rig.Exchange(Text.Frame(rest, from == Side.Uplink ? Rig.UplinkMac : Rig.InsideMac, from == Side.Uplink ? Rig.GatewayMac : Rig.BackendMac), from);
                    break;
                case "uplink>" or "inside>":
                    var to = word == "uplink>" ? Side.Uplink : Side.Inside;
                    var expected = Text.Frame(rest, to == Side.Uplink ? Rig.GatewayMac : Rig.BackendMac, to == Side.Uplink ? Rig.UplinkMac : Rig.InsideMac);
                    Assert.True(last!.Drop == DropReason.None, $"{at}: dropped: {last.Drop}");
                    Assert.Equal((at, to, Convert.ToHexString(expected)), (at, last.Out, Convert.ToHexString(last.Frame)));
                    last = null;
                    break;
                case "drop":
                    Assert.Equal((at, Enum.Parse<DropReason>(rest)), (at, last!.Drop));
                    last = null;
                    break;
                case "replies": // KIND: one more of it
                    var kind = Enum.Parse<ReplyKind>(rest);
                    Assert.True(rig.Counters.Replied(kind) == ++replies[kind], at);
                    break;
                case "state": // HALF-OPEN ESTABLISHED CLOSING
                    Assert.Equal($"{at}: {rest}", $"{at}: {rig.Flows.CountOf(FlowState.HalfOpen)} {rig.Flows.CountOf(FlowState.Established)} {rig.Flows.CountOf(FlowState.Closing)}");
                    break;
                case "wait":
                    rig.Uptime += uint.Parse(rest, CultureInfo.InvariantCulture);
                    break;
                default:
                    Assert.Fail($"{at}: no such word");
                    break;
            }
        }
        Assert.True(last is null, $"{script.File}: {script.Name}: what became of the last frame?");
        rig.AssertEveryFrameIsAccountedFor();
    }

    private static void Arrange(Rig rig, string what)
    {
        var words = what.Split(' ');
        var snapshot = rig.Snapshot;
        switch (words)
        {
            case ["an", "established", "flow"]:
                rig.Establish();
                break;
            case ["pings", "refused"]:
                rig.Snapshot = snapshot with { AnswersPings = false };
                break;
            case ["expired", var answer]:
                rig.Snapshot = snapshot with { Prefixes = [rig.Rules(Enum.Parse<ExpiredAnswer>(answer, ignoreCase: true), onLink: false)] };
                break;
            case ["the", "prefix", "on-link"]:
                rig.Snapshot = snapshot with { Prefixes = [rig.Rules(ExpiredAnswer.Reset, onLink: true)] };
                break;
            case ["uplink", "mtu", var mtu]:
                rig.Snapshot = snapshot with { Uplink = new SideRules(PhysicalAddress.Parse(Rig.UplinkMac), int.Parse(mtu, CultureInfo.InvariantCulture), System.Net.IPAddress.Parse("2001:db8:e::1")) };
                break;
            case ["inside", "mtu", var mtu]:
                rig.Snapshot = snapshot with { Inside = new SideRules(PhysicalAddress.Parse(Rig.InsideMac), int.Parse(mtu, CultureInfo.InvariantCulture), System.Net.IPAddress.Parse("fd00:25::1")) };
                break;
            case ["no", "addresses"]:
                rig.Snapshot = snapshot with { Uplink = new SideRules(PhysicalAddress.Parse(Rig.UplinkMac), 1280, null), Inside = new SideRules(PhysicalAddress.Parse(Rig.InsideMac), 1280, null) };
                break;
            case ["uplink", "tags", .. var tags]:
                rig.Snapshot = snapshot with { Gateway = new NextHop(PhysicalAddress.Parse(Rig.GatewayMac), PhysicalAddress.Parse(Rig.UplinkMac), [.. tags.Select(int.Parse)]) };
                break;
            case ["inside", "tags", .. var tags]:
                rig.Snapshot = snapshot with { Backends = [snapshot.Backends[0] with { NextHop = new NextHop(PhysicalAddress.Parse(Rig.BackendMac), PhysicalAddress.Parse(Rig.InsideMac), [.. tags.Select(int.Parse)]) }] };
                break;
            default:
                Assert.Fail($"with {what}: no such thing");
                break;
        }
    }
}
