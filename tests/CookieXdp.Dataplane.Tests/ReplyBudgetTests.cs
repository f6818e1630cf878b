using System.Globalization;

namespace CookieXdp.Dataplane.Tests;

/// <summary>How often the engine answers at most.</summary>
public sealed class ReplyBudgetTests
{
    [Theory]
    [InlineData(ReplyKind.Reset, 32, 16)]
    [InlineData(ReplyKind.TimeExceeded, 32, 16)]
    [InlineData(ReplyKind.NeighbourAdvertisement, 2048, 1024)]
    public void A_network_gets_so_many_answers_at_once_and_then_so_many_a_second(ReplyKind kind, int atOnce, int aSecond)
    {
        using var budget = new ReplyBudget();
        Assert.Equal(atOnce, Take(budget, kind, _ => 7, 10_000, now: 100));
        Assert.Equal(0, Take(budget, kind, _ => 7, 10, now: 100));
        Assert.Equal(aSecond, Take(budget, kind, _ => 7, 10_000, now: 101));
        Assert.Equal(atOnce, Take(budget, kind, _ => 7, 10_000, now: 1_000_000));
    }

    [Theory]
    [InlineData(ReplyKind.Reset, 2048, 1024)]
    [InlineData(ReplyKind.NeighbourAdvertisement, 8192, 4096)]
    public void All_networks_together_get_no_more_than_the_ceiling(ReplyKind kind, int atOnce, int aSecond)
    {
        using var budget = new ReplyBudget();
        Assert.Equal(atOnce, Take(budget, kind, i => (ulong)i, 100_000, now: 100));
        Assert.Equal(aSecond, Take(budget, kind, i => (ulong)i, 100_000, now: 101));
    }

    [Fact]
    public void Advertisements_and_all_else_do_not_use_each_others_up()
    {
        using var budget = new ReplyBudget();
        Take(budget, ReplyKind.Reset, i => (ulong)i, 100_000, now: 100);
        Assert.True(budget.TryTake(ReplyKind.NeighbourAdvertisement, 7, 100));
        Take(budget, ReplyKind.NeighbourAdvertisement, i => (ulong)i, 100_000, now: 100);
        Assert.True(budget.TryTake(ReplyKind.Reset, 1_000_000, 101));
    }

    [Fact]
    public void What_is_over_the_limit_is_dropped_under_its_name_and_a_neighbouring_network_is_answered()
    {
        using var rig = new Rig(withAnswers: true);
        var syn = new Packet { Destination = Rig.Mint(age: 7300) };
        for (var i = 0; i < 32; i++)
            Assert.Equal(DropReason.None, rig.Send(syn with { Source = string.Create(CultureInfo.InvariantCulture, $"2001:db8:c::{i:x}") }));
        Assert.Equal(DropReason.ReplyLimit, rig.Send(syn));
        Assert.Equal(DropReason.ReplyLimit, rig.Send(new Packet { Destination = Rig.Mint(), HopLimit = 1 }));
        // Networks may share a bucket, by a hash that is another every time: of sixteen at most few do.
        Assert.InRange(Enumerable.Range(1, 16).Count(i => rig.Send(syn with { Source = string.Create(CultureInfo.InvariantCulture, $"2001:db8:c:{i:x}::7") }) == DropReason.None), 12, 16);
        Assert.Equal(DropReason.None, rig.Send(new Packet { Destination = Rig.Mint() })); // letting in needs no budget
        Assert.Equal(33, rig.Counters.VerdictsAgainst(DropReason.Expired) - 16);
        rig.AssertEveryFrameIsAccountedFor();
    }

    private static int Take(ReplyBudget budget, ReplyKind kind, Func<int, ulong> network, int attempts, uint now) =>
        Enumerable.Range(0, attempts).Count(i => budget.TryTake(kind, network(i), now));
}
