using System.Diagnostics;
using CookieXdp.AfXdp.Tests.Support;

namespace CookieXdp.AfXdp.Tests;

/// <summary>Frames through two sockets on one UMEM, between veth pairs in native mode: a0 ↔ (a1 forwarder b1) ↔ b0.</summary>
public sealed class ForwardingTests
{
    private static readonly XdpSocketOptions Options = new() { Mode = XdpMode.Copy, FillSize = 512, CompletionSize = 256, RxSize = 256, TxSize = 256 };

    [Fact]
    public void A_hundred_thousand_frames_come_out_intact_and_in_order_in_both_directions_although_the_rings_wrap()
    {
        const uint each = 50_000, burst = 32;
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.AddPair("b0", "b1");
        space.Run(() =>
        {
            Device a1 = Device.Find("a1"), b1 = Device.Find("b1");
            using RawSocket a0 = new(Device.Find("a0")), b0 = new(Device.Find("b0"));
            using var forwarder = new Forwarder(a1, b1, Options);
            using RedirectProgram onA = new(), onB = new();
            onA.Sockets.SetSocket(0, forwarder.Left);
            onB.Sockets.SetSocket(0, forwarder.Right);
            using XdpLink linkA = XdpLink.Attach(onA.Redirect, a1), linkB = XdpLink.Attach(onB.Redirect, b1);
            Assert.False(forwarder.Left.IsZeroCopy);

            var frame = new byte[TestFrame.MaxLength];
            uint sentA = 0, sentB = 0, gotA = 0, gotB = 0;
            var clock = Stopwatch.StartNew();
            while ((gotA < each || gotB < each) && clock.Elapsed < TimeSpan.FromSeconds(60))
            {
                for (var i = 0; i < burst && sentA < each && sentA - gotB < 128; i++)
                    Assert.True(a0.Send(TestFrame.Write(frame, sentA++)));
                for (var i = 0; i < burst && sentB < each && sentB - gotA < 128; i++)
                    Assert.True(b0.Send(TestFrame.Write(frame, 0x8000_0000 + sentB++)));
                forwarder.Poller.Wait(1);
                while (forwarder.Step() > 0)
                {
                }
                Drain(b0, frame, ref gotB, 0);
                Drain(a0, frame, ref gotA, 0x8000_0000);
            }

            Assert.Equal((each, each), (gotB, gotA));
            Assert.Equal(2 * each, forwarder.Received);
            Assert.Equal(2 * each, forwarder.Transmitted);
            Assert.Equal(0ul, forwarder.TransmitRingFull + forwarder.Left.TransmitDrops + forwarder.Right.TransmitDrops);
            Assert.Equal((ulong)each, onA.Redirected);
            Assert.Equal((ulong)each, onB.Redirected);
            Assert.Equal(0ul, forwarder.Left.Statistics.RxRingFull + forwarder.Left.Statistics.RxDropped);
            AssertNoFrameLost(forwarder);
        });

        static void Drain(RawSocket socket, byte[] frame, ref uint got, uint first)
        {
            for (int length; (length = socket.Receive(frame)) >= 0;)
            {
                Assert.Equal(first + got++, TestFrame.NumberOf(frame));
                Assert.True(TestFrame.IsIntact(frame.AsSpan(0, length)), $"frame {got - 1} was changed on its way");
            }
        }
    }

    /// <summary>A sender that does not wait, a receiver that is slow on purpose, small rings: whatever is lost is counted somewhere.</summary>
    [Fact]
    public void Under_overload_frames_in_are_frames_out_and_counted_drops()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.AddPair("b0", "b1");
        space.Run(() =>
        {
            Device a1 = Device.Find("a1"), b1 = Device.Find("b1");
            using RawSocket a0 = new(Device.Find("a0"));
            using var forwarder = new Forwarder(a1, b1, Options with { FillSize = 64, RxSize = 64, TxSize = 32, CompletionSize = 32 });
            using RedirectProgram onA = new(), onB = new(), onB0 = new();
            onA.Sockets.SetSocket(0, forwarder.Left);
            onB.Sockets.SetSocket(0, forwarder.Right);
            using XdpLink linkA = XdpLink.Attach(onA.Redirect, a1), linkB = XdpLink.Attach(onB.Redirect, b1);
            using var sink = XdpLink.Attach(onB0.CountAndDrop, Device.Find("b0"));

            var frame = new byte[TestFrame.MaxLength];
            for (uint number = 0; number < 100_000; number++)
            {
                a0.Send(TestFrame.Write(frame, number));
                if (number % 400 == 0)
                    forwarder.Step();
            }
            for (var quiet = 0; quiet < 20; quiet = forwarder.Step() > 0 ? 0 : quiet + 1)
                forwarder.Poller.Wait(5);

            var statistics = forwarder.Left.Statistics;
            Assert.True(statistics.RxRingFull + statistics.RxDropped > 0, "the test did not overload anything");
            Assert.Equal(onA.Redirected, forwarder.Received + statistics.RxRingFull + statistics.RxDropped);
            Assert.Equal(forwarder.Received, forwarder.Transmitted + forwarder.TransmitRingFull);
            Assert.Equal(forwarder.Transmitted, onB0.Counted + forwarder.Right.TransmitDrops);
            Assert.Equal(0ul, statistics.RxInvalidDescriptors + forwarder.Right.Statistics.TxInvalidDescriptors);
            AssertNoFrameLost(forwarder);
        });
    }

    [Fact]
    public void Forwarding_allocates_nothing()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.AddPair("b0", "b1");
        space.Run(() =>
        {
            Device a1 = Device.Find("a1"), b1 = Device.Find("b1");
            using RawSocket a0 = new(Device.Find("a0"));
            using var forwarder = new Forwarder(a1, b1, Options);
            using var onA = new RedirectProgram();
            onA.Sockets.SetSocket(0, forwarder.Left);
            using var linkA = XdpLink.Attach(onA.Redirect, a1);
            var frame = new byte[TestFrame.MaxLength];
            long allocated = 0;
            for (uint round = 0; round < 200; round++)
            {
                for (uint i = 0; i < 32; i++)
                    a0.Send(TestFrame.Write(frame, i));
                var before = GC.GetAllocatedBytesForCurrentThread();
                forwarder.Poller.Wait(1);
                while (forwarder.Step() > 0)
                {
                }
                if (round >= 100)
                    allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            }
            Assert.True(forwarder.Transmitted >= 3200);
            Assert.Equal(0, allocated);
        });
    }

    /// <summary>Every frame is in the stack, in a fill ring, or on its way out, and comes back when both sides rest.</summary>
    private static void AssertNoFrameLost(Forwarder forwarder)
    {
        var clock = Stopwatch.StartNew();
        long known = 0;
        while (clock.Elapsed < TimeSpan.FromSeconds(2))
        {
            forwarder.Step();
            // A fill ring entry that the kernel took and holds for the next packet is counted by nobody: at most one a socket.
            known = forwarder.Frames.Available + forwarder.Left.Fill.Pending + forwarder.Right.Fill.Pending;
            if (known >= forwarder.Frames.Capacity - 2)
                return;
        }
        Assert.Fail($"{forwarder.Frames.Capacity - known} frames of {forwarder.Frames.Capacity} have no owner");
    }
}
