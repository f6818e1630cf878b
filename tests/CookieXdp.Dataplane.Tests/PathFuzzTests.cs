using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// Random and mutated frames through the path: nothing throws, nothing outside of a frame is touched (a guard page ends the test program), no
/// frame is lost, no answer is larger than it may be, and what came with a right checksum leaves with one.
/// COOKIEXDP_FUZZ_FRAMES sets how many frames, 2 million by default.
/// </summary>
public sealed class PathFuzzTests
{
    private static readonly long _frames = long.Parse(Environment.GetEnvironmentVariable("COOKIEXDP_FUZZ_FRAMES") ?? "2000000", CultureInfo.InvariantCulture);

    [Fact]
    public void Whatever_comes_in_leaves_sound_or_is_counted_as_dropped()
    {
        var random = new Random(11);
        using var rig = new Rig(flows: 256, withAnswers: true);
        rig.Snapshot = rig.Snapshot with { Prefixes = [rig.Rules(ExpiredAnswer.Reset, onLink: true)] };
        var snapshots = new[]
        {
            rig.Snapshot,
            rig.Snapshot with { Prefixes = [rig.Rules(ExpiredAnswer.Unreachable, onLink: false)], AnswersPings = false },
            rig.Snapshot with
            {
                Inside = new SideRules(System.Net.NetworkInformation.PhysicalAddress.Parse(Rig.InsideMac), 1280, IPAddress.Parse("fd00:25::1")),
                Gateway = new NextHop(System.Net.NetworkInformation.PhysicalAddress.Parse(Rig.GatewayMac), System.Net.NetworkInformation.PhysicalAddress.Parse(Rig.UplinkMac), [10, 100]),
            },
        };
        var seeds = Seeds();
        var seen = new long[2];
        for (long i = 0; i < _frames; i++)
        {
            if (i % 1000 == 0)
                rig.Snapshot = snapshots[random.Next(snapshots.Length)];
            var (side, frame) = Mutate(random, seeds);
            var wasRight = FullChecksum.IsRight(frame);
            var outcome = rig.Exchange(frame, side);
            if (outcome.Drop == DropReason.None)
            {
                Check(frame, wasRight, side, outcome);
                seen[outcome.Out == side ? 1 : 0]++;
            }
            if (i % 64 == 0)
            {
                rig.Uptime += (uint)random.Next(2);
                rig.Flows.Expire(rig.Uptime, 16);
            }
        }
        rig.AssertEveryFrameIsAccountedFor();
        // Enough of both has passed for the rest to mean something.
        Assert.InRange(seen[0], _frames / 200, _frames);
        Assert.InRange(seen[1], _frames / 2000, _frames);
        Assert.Equal(seen[1], Enum.GetValues<ReplyKind>().Sum(rig.Counters.Replied));
    }

    private static void Check(byte[] frame, bool? wasRight, Side side, Rig.Outcome outcome)
    {
        var isAnswer = outcome.Out == side;
        // What is forwarded keeps a checksum as right or wrong as it was; what the engine says for itself is right.
        if (FullChecksum.IsRight(outcome.Frame) is { } isRight && (isAnswer || wasRight is not null))
            Assert.True(isAnswer ? isRight : isRight == wasRight, Describe(frame, outcome));
        Assert.True(outcome.Frame.Length >= 60, Describe(frame, outcome));
        // Two tags more than it came with; an ICMPv6 error's own headers; a neighbour's hardware address; otherwise nothing.
        var (most, longest) = !isAnswer ? (8, int.MaxValue) : AnswerOf(outcome.Frame) switch
        {
            < 128 => (48, 1280),
            136 => (8, 72),
            129 => (0, int.MaxValue),
            _ => (0, 60),
        };
        Assert.True(outcome.Frame.Length <= frame.Length + most && PacketOf(outcome.Frame).Length <= longest, Describe(frame, outcome));
    }

    /// <summary>The ICMPv6 type of an answer; 1000 of a TCP segment.</summary>
    private static int AnswerOf(byte[] frame)
    {
        var ip = PacketOf(frame);
        var at = 40;
        var next = ip[6];
        while (next is not (6 or 58))
        {
            var length = next == 51 ? (ip[at + 1] + 2) * 4 : next == 44 ? 8 : (ip[at + 1] + 1) * 8;
            next = ip[at];
            at += length;
        }
        return next == 58 ? ip[at] : 1000;
    }

    private static ReadOnlySpan<byte> PacketOf(byte[] frame)
    {
        var network = 14;
        while (BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(network - 2)) != 0x86DD)
            network += 4;
        return frame.AsSpan(network);
    }

    private static string Describe(byte[] frame, Rig.Outcome outcome) => $"{Convert.ToHexString(frame)} became {Convert.ToHexString(outcome.Frame)}";

    /// <summary>A frame of the tables with a few bytes changed, some of them with their checksum made right again, some cut off, some all random.</summary>
    private static (Side Side, byte[] Frame) Mutate(Random random, List<(Side Side, byte[] Frame)> seeds)
    {
        var (side, seed) = seeds[random.Next(seeds.Count)];
        if (random.Next(32) == 0)
            side = (Side)random.Next(2);
        var frame = (byte[])seed.Clone();
        for (var changes = random.Next(4); changes > 0; changes--)
        {
            // Headers are where it matters.
            var at = random.Next(3) == 0 ? random.Next(frame.Length) : random.Next(Math.Min(frame.Length, 120));
            frame[at] = random.Next(3) == 0 ? (byte)(frame[at] ^ 1 << random.Next(8)) : (byte)random.Next(256);
        }
        if (random.Next(2) == 0)
            MendChecksum(frame);
        if (random.Next(6) == 0)
            frame = frame[..random.Next(frame.Length + 1)];
        if (random.Next(64) == 0)
            random.NextBytes(frame);
        if (random.Next(16) == 0)
            frame = [.. frame, .. new byte[random.Next(20)]];
        return (side, frame);
    }

    /// <summary>Makes the checksum of a TCP segment or ICMPv6 message right behind IPv6 right, where there is one.</summary>
    private static void MendChecksum(byte[] frame)
    {
        var network = 14;
        while (network <= 22 && network + 2 <= frame.Length && BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(network - 2)) is 0x8100 or 0x88A8)
            network += 4;
        if (frame.Length < network + 40)
            return;
        var end = network + 40 + BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(network + 4));
        var field = frame[network + 6] switch { 6 => 16, 58 => 2, _ => -1 };
        if (field < 0 || end > frame.Length || network + 40 + field + 2 > end)
            return;
        frame.AsSpan(network + 40 + field, 2).Clear();
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(network + 40 + field),
            FullChecksum.Of(frame.AsSpan(network + 8, 16), frame.AsSpan(network + 24, 16), frame[network + 6], frame.AsSpan(network + 40, end - network - 40)));
    }

    /// <summary>Every frame that comes in anywhere in Packets/*.txt.</summary>
    private static List<(Side Side, byte[] Frame)> Seeds()
    {
        var seeds = new List<(Side, byte[])>();
        foreach (var (_, text) in PathScript.LoadAll().SelectMany(script => script.Lines))
        {
            if (text.StartsWith("uplink< ", StringComparison.Ordinal))
                seeds.Add((Side.Uplink, PathScriptTests.Text.Frame(text[8..], Rig.UplinkMac, Rig.GatewayMac)));
            else if (text.StartsWith("inside< ", StringComparison.Ordinal))
                seeds.Add((Side.Inside, PathScriptTests.Text.Frame(text[8..], Rig.InsideMac, Rig.BackendMac)));
        }
        return seeds;
    }
}
