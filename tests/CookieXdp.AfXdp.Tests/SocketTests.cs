using System.Diagnostics;
using CookieXdp.AfXdp.Native;
using CookieXdp.AfXdp.Tests.Support;

namespace CookieXdp.AfXdp.Tests;

public sealed unsafe class SocketTests
{
    private static readonly XdpSocketOptions Small = new() { FillSize = 64, CompletionSize = 64, RxSize = 64, TxSize = 64 };

    [Fact]
    public void A_full_TX_ring_takes_no_more_and_never_blocks_and_drains_when_completions_are_taken()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var a1 = Device.Find("a1");
            using var umem = new Umem(512);
            using var frames = new FrameAllocator(umem);
            using var socket = XdpSocket.Open(umem, a1, 0, Small);
            using var sinkProgram = new RedirectProgram();
            using var sink = XdpLink.Attach(sinkProgram.CountAndDrop, Device.Find("a0"));

            // Nobody takes completions: 64 go out, 64 more fit in the ring, all others are this test's to drop.
            uint accepted = 0, dropped = 0;
            var results = new HashSet<TransmitResult>();
            var clock = Stopwatch.StartNew();
            for (uint number = 0; number < 300; number++)
            {
                if (socket.Tx.Reserve(1) == 0)
                {
                    dropped++;
                    results.Add(socket.WakeTransmit());
                    continue;
                }
                Assert.True(frames.TryRent(out var address));
                socket.Tx[0] = new() { Address = address, Length = (uint)TestFrame.Write(new Span<byte>(umem.At(address), 2048), number).Length };
                socket.Tx.Submit(1);
                accepted++;
                results.Add(socket.WakeTransmit());
            }
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), $"it took {clock.Elapsed}");
            Assert.Equal(128u, accepted);
            Assert.Equal(300u, accepted + dropped);
            Assert.Contains(TransmitResult.Busy, results);
            Assert.DoesNotContain(TransmitResult.Failed, results);

            // Being told "later" costs one system call, not as many as the bound allows.
            clock.Restart();
            for (var i = 0; i < 5000; i++)
                Assert.True(socket.WakeTransmit() == TransmitResult.Busy);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(1), $"it took {clock.Elapsed}");

            uint back = 0;
            for (clock.Restart(); back < accepted && clock.Elapsed < TimeSpan.FromSeconds(2); back += frames.Reclaim(ref socket.Completion, 64))
                socket.WakeTransmit();
            Assert.Equal(accepted, back);
            Assert.Equal(frames.Capacity, frames.Available);
            Until(() => sinkProgram.Counted + socket.TransmitDrops >= accepted);
            Assert.Equal(accepted, sinkProgram.Counted + socket.TransmitDrops);
        });
    }

    [Fact]
    public void What_the_device_drops_on_transmit_is_counted_and_its_frames_come_back()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            using var umem = new Umem(512);
            using var frames = new FrameAllocator(umem);
            using var socket = XdpSocket.Open(umem, Device.Find("a1"), 0, Small);
            // The device is up, and its only neighbour is not: veth drops every packet.
            space.Ip("link", "set", "a0", "down");
            for (uint number = 0; number < 40; number++)
            {
                Assert.True(frames.TryRent(out var address));
                Assert.Equal(1u, socket.Tx.Reserve(1));
                socket.Tx[0] = new() { Address = address, Length = 60 };
                socket.Tx.Submit(1);
            }
            Until(() => socket.WakeTransmit() != TransmitResult.Busy || frames.Reclaim(ref socket.Completion, 64) > 0);
            Until(() => frames.Reclaim(ref socket.Completion, 64) >= 0 && frames.Available == frames.Capacity);
            Assert.Equal(40ul, socket.TransmitDrops);
        });
    }

    [Fact]
    public void A_queue_can_be_opened_again_at_once_after_it_was_closed_fifty_times()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var a1 = Device.Find("a1");
            for (var i = 0; i < 50; i++)
            {
                using var umem = new Umem(256);
                using var socket = XdpSocket.Open(umem, a1, 0, Small);
                Assert.Equal(0, socket.Queue);
            }
        });
    }

    [Fact]
    public void A_queue_that_somebody_holds_is_refused_after_a_bounded_time_in_words()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var a1 = Device.Find("a1");
            using Umem first = new(256), second = new(256);
            using var holder = XdpSocket.Open(first, a1, 0, Small);
            var clock = Stopwatch.StartNew();
            var failure = Assert.Throws<XdpException>(() => XdpSocket.Open(second, a1, 0, Small with { BusyTimeout = TimeSpan.FromMilliseconds(300) }));
            Assert.InRange(clock.ElapsedMilliseconds, 250, 3000);
            Assert.Equal(LibCErrors.EBUSY, failure.Errno);
            Assert.Contains("a1 queue 0", failure.Message, StringComparison.Ordinal);
            Assert.Contains("Another AF_XDP socket", failure.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Opening_says_what_is_wrong_with_queue_device_and_mode()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1", queues: 2);
        space.Run(() =>
        {
            using var umem = new Umem(256);
            Assert.Contains("2 queues, numbered from 0", Refusal(Device.Find("a1"), 7, Small), StringComparison.Ordinal);
            Assert.Contains("no zero-copy", Refusal(Device.Find("a1"), 0, Small with { Mode = XdpMode.ZeroCopy }), StringComparison.Ordinal);
            var gone = Device.Find("a1");
            space.Ip("link", "del", "a1");
            Assert.Contains("has gone", Refusal(gone, 0, Small), StringComparison.Ordinal);
            Assert.Throws<ArgumentOutOfRangeException>(() => XdpSocket.Open(umem, gone, 0, Small with { TxSize = 100 }));

            string Refusal(Device device, int queue, XdpSocketOptions options) =>
                Assert.Throws<XdpException>(() => XdpSocket.Open(umem, device, queue, options)).Message;
        });
    }

    [Fact]
    public void The_best_mode_on_veth_is_copy_and_the_socket_says_so()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() => Assert.False(XdpSocket.SupportsZeroCopy(Device.Find("a1"), 0)));
    }

    [Fact]
    public void A_umem_outlives_the_socket_that_registered_it_and_can_be_registered_again()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.AddPair("b0", "b1");
        space.Run(() =>
        {
            Device a1 = Device.Find("a1"), b1 = Device.Find("b1");
            using var umem = new Umem(512);
            var sockets = XdpSocket.OpenAll(umem, [(a1, 0), (b1, 0)], Small);
            sockets[0].Dispose();
            using (var again = XdpSocket.Open(umem, a1, 0, Small))
                Assert.Equal(0ul, again.Statistics.RxDropped);
            sockets[1].Dispose();
            using (var fresh = XdpSocket.Open(umem, b1, 0, Small))
                Assert.True(fresh.Fd >= 0);
        });
    }

    [Fact]
    public void Two_queues_of_one_device_share_a_umem_and_each_gets_its_own_packets()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1", queues: 2);
        space.Run(() =>
        {
            var a1 = Device.Find("a1");
            using RawSocket a0 = new(Device.Find("a0"), queueOfCpu: true);
            using var umem = new Umem(512);
            using var frames = new FrameAllocator(umem);
            var sockets = XdpSocket.OpenAll(umem, [(a1, 0), (a1, 1)], Small);
            using var program = new RedirectProgram();
            foreach (var socket in sockets)
            {
                frames.Refill(ref socket.Fill, 64);
                program.Sockets.SetSocket(socket.Queue, socket);
            }
            using var link = XdpLink.Attach(program.Redirect, a1);
            var frame = new byte[TestFrame.MaxLength];
            for (var cpu = 0; cpu < 2; cpu++)
            {
                RunOn(cpu);
                for (uint i = 0; i < 20; i++)
                    Assert.True(a0.Send(TestFrame.Write(frame, (uint)(cpu * 1000) + i)));
            }
            foreach (var socket in sockets)
            {
                Until(() => socket.Rx.Peek(64) == 20);
                Assert.Equal(20u, socket.Rx.Peek(64));
                for (uint i = 0; i < 20; i++)
                {
                    var packet = umem.Packet(socket.Rx[i]);
                    Assert.True(TestFrame.IsIntact(packet));
                    Assert.Equal((uint)(socket.Queue * 1000) + i, TestFrame.NumberOf(packet));
                }
                socket.Dispose();
            }
        });
    }

    [Fact]
    public void A_socket_that_cannot_be_opened_with_the_others_closes_them_all()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var a1 = Device.Find("a1");
            using var umem = new Umem(512);
            Assert.Throws<XdpException>(() => XdpSocket.OpenAll(umem, [(a1, 0), (a1, 9)], Small));
            using var socket = XdpSocket.Open(umem, a1, 0, Small);
        });
    }

    [Fact]
    public void A_disposed_umem_stays_mapped_for_its_sockets_and_takes_no_more()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var umem = new Umem(256);
            var socket = XdpSocket.Open(umem, Device.Find("a1"), 0, Small);
            umem.Dispose();
            umem.Packet(new() { Address = 4096, Length = 60 }).Fill(1);
            Assert.Throws<ObjectDisposedException>(() => XdpSocket.Open(umem, Device.Find("a1"), 0, Small));
            socket.Dispose();
            Assert.True(umem.Memory == null);
            umem.Dispose();
        });
    }

    [Fact]
    public void A_waiting_thread_is_woken_by_time_and_by_the_event_and_a_lost_device_is_told_when_asked_for()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            using var umem = new Umem(256);
            using var socket = XdpSocket.Open(umem, Device.Find("a1"), 0, Small);
            using var wake = new WakeEvent();
            using var poller = new SocketPoller([socket], wake);
            Assert.Equal(0, poller.Wait(20));
            Assert.False(poller.WasWoken || poller.IsReadable(0) || poller.HasFailed(0));
            Assert.Equal(0, socket.DeviceError);

            wake.Signal();
            wake.Signal();
            Assert.Equal(1, poller.Wait(1000));
            Assert.True(poller.WasWoken);
            Assert.Equal(0, poller.Wait(0));
            Assert.False(poller.WasWoken);

            var clock = Stopwatch.StartNew();
            var signaller = new Thread(() =>
            {
                Thread.Sleep(50);
                wake.Signal();
            });
            signaller.Start();
            Assert.Equal(1, poller.Wait(5000));
            Assert.InRange(clock.ElapsedMilliseconds, 30, 2000);
            signaller.Join();

            space.Ip("link", "del", "a1");
            Assert.Equal(LibCErrors.ENETDOWN, socket.DeviceError);
            Assert.Equal(LibCErrors.ENETDOWN, socket.DeviceError);
            Assert.Equal(1u, socket.Tx.Reserve(1));
            socket.Tx[0] = new() { Address = 0, Length = 60 };
            socket.Tx.Submit(1);
            Assert.Equal(TransmitResult.Failed, socket.WakeTransmit());
            Assert.NotEqual(0, socket.LastTransmitError);
        });
    }

    [Fact]
    public void A_signal_after_the_end_is_harmless()
    {
        var wake = new WakeEvent();
        wake.Dispose();
        wake.Signal();
        wake.Dispose();
    }

    [Fact]
    public void A_descriptor_outside_the_umem_is_counted_by_the_kernel_and_harms_nobody()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            using var umem = new Umem(256);
            using var socket = XdpSocket.Open(umem, Device.Find("a1"), 0, Small);
            Assert.Equal(2u, socket.Tx.Reserve(2));
            socket.Tx[0] = new() { Address = umem.Length, Length = 60 };
            socket.Tx[1] = new() { Address = 0, Length = 5000 };
            socket.Tx.Submit(2);
            Assert.Equal(TransmitResult.Done, socket.WakeTransmit());
            Assert.Equal(0u, socket.Tx.Pending);
            Assert.Equal(2ul, socket.Statistics.TxInvalidDescriptors);
        });
    }

    private static void RunOn(int cpu)
    {
        Tmds.Linux.cpu_set_t set = default;
        ((byte*)&set)[0] = (byte)(1 << cpu);
        Assert.Equal(0, Tmds.Linux.LibC.sched_setaffinity(0, (Tmds.Linux.size_t)(ulong)sizeof(Tmds.Linux.cpu_set_t), &set));
    }

    private static void Until(Func<bool> condition)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(3); Thread.Sleep(1))
            if (condition())
                return;
    }
}
