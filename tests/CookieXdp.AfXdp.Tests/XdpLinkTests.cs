using CookieXdp.AfXdp.Native;
using CookieXdp.AfXdp.Tests.Support;

namespace CookieXdp.AfXdp.Tests;

public sealed class XdpLinkTests
{
    [Fact]
    public void A_pinned_link_outlives_what_made_it_and_is_taken_over()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var pin = $"{space.BpfFs}/cookiexdp/uplink";
            var a1 = Device.Find("a1");
            uint firstId;
            using (var first = new RedirectProgram())
            using (var link = XdpLink.AttachPinned(first.CountAndDrop, a1, pin))
            {
                Assert.False(link.TookOver);
                firstId = first.CountAndDrop.Id;
                Assert.Equal(firstId, link.ProgramId);
            }
            using (var left = XdpLink.OpenPinned(pin))
            {
                Assert.NotNull(left);
                Assert.Equal(a1.Index, left.DeviceIndex);
                Assert.Equal(firstId, left.ProgramId);
            }

            using var second = new RedirectProgram();
            using var taken = XdpLink.AttachPinned(second.CountAndDrop, a1, pin);
            Assert.True(taken.TookOver);
            Assert.Equal(second.CountAndDrop.Id, taken.ProgramId);
            taken.Detach();
            Assert.Null(XdpLink.OpenPinned(pin));
            Assert.False(File.Exists(pin));
            using var third = XdpLink.Attach(second.CountAndDrop, a1);
        });
    }

    [Fact]
    public void While_a_link_is_taken_over_no_frame_misses_both_programs()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var pin = $"{space.BpfFs}/swap";
            var a1 = Device.Find("a1");
            using RawSocket a0 = new(Device.Find("a0")), passed = new(a1);
            var programs = new List<RedirectProgram>();
            long sent = 0;
            using var stop = new CancellationTokenSource();
            programs.Add(new());
            XdpLink.AttachPinned(programs[0].CountAndDrop, a1, pin).Dispose();
            var sender = new Thread(() =>
            {
                var frame = new byte[TestFrame.MaxLength];
                for (uint number = 0; !stop.IsCancellationRequested && number < 5_000_000; number++)
                {
                    if (a0.Send(TestFrame.Write(frame, number)))
                        sent++;
                }
            });
            sender.Start();
            for (var i = 0; i < 50; i++)
            {
                programs.Add(new());
                using var link = XdpLink.AttachPinned(programs[^1].CountAndDrop, a1, pin);
                Assert.True(link.TookOver);
                Thread.Sleep(5);
            }
            stop.Cancel();
            sender.Join();
            Thread.Sleep(50);
            var counted = programs.Sum(p => (long)p.Counted);
            Assert.True(programs.Count(p => p.Counted > 0) > 40, "the programs hardly saw a frame");
            Assert.Equal(-1, passed.Receive(new byte[2048], 50));
            Assert.Equal(sent, counted);
            programs.ForEach(p => p.Dispose());
        });
    }

    [Fact]
    public void A_pin_whose_device_has_gone_is_replaced()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            var pin = $"{space.BpfFs}/uplink";
            using var program = new RedirectProgram();
            XdpLink.AttachPinned(program.CountAndDrop, Device.Find("a1"), pin).Dispose();
            space.Ip("link", "del", "a1");
            using (var orphan = XdpLink.OpenPinned(pin))
                Assert.Equal(0, orphan!.DeviceIndex);
            space.AddPair("a0", "a1");
            using var link = XdpLink.AttachPinned(program.CountAndDrop, Device.Find("a1"), pin);
            Assert.False(link.TookOver);
            Assert.Equal(Device.Find("a1").Index, link.DeviceIndex);
        });
    }

    [Fact]
    public void When_the_configuration_names_another_device_the_old_one_is_let_go()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.AddPair("b0", "b1");
        space.Run(() =>
        {
            var pin = $"{space.BpfFs}/uplink";
            using var program = new RedirectProgram();
            XdpLink.AttachPinned(program.CountAndDrop, Device.Find("a1"), pin).Dispose();
            using var moved = XdpLink.AttachPinned(program.CountAndDrop, Device.Find("b1"), pin);
            Assert.False(moved.TookOver);
            using var free = XdpLink.Attach(program.CountAndDrop, Device.Find("a1"));
        });
    }

    [Fact]
    public void A_pin_of_another_network_namespace_is_left_alone()
    {
        using NetworkNamespace space = new(), other = new();
        space.AddPair("a0", "a1");
        other.AddPair("a0", "a1");
        space.Run(() =>
        {
            var pin = $"{space.BpfFs}/uplink";
            using var program = new RedirectProgram();
            using var theirs = XdpLink.AttachPinned(program.CountAndDrop, Device.Find("a1"), pin);
            using var handle = File.OpenHandle($"/run/netns/{other.Name}");
            Assert.Equal(0, Tmds.Linux.LibC.setns((int)handle.DangerousGetHandle(), Tmds.Linux.LibC.CLONE_NEWNET));
            var failure = Assert.Throws<XdpException>(() => XdpLink.AttachPinned(program.CountAndDrop, Device.Find("a1"), pin));
            Assert.Contains("another network namespace", failure.Message, StringComparison.Ordinal);
            Assert.NotEqual(0, theirs.DeviceIndex);
        });
    }

    [Fact]
    public void A_second_program_on_a_device_is_refused_in_words()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            using var program = new RedirectProgram();
            using var first = XdpLink.Attach(program.CountAndDrop, Device.Find("a1"));
            var failure = Assert.Throws<XdpException>(() => XdpLink.Attach(program.Redirect, Device.Find("a1")));
            Assert.Contains("Another XDP program", failure.Message, StringComparison.Ordinal);
            Assert.Contains("ip link set dev a1 xdp off", failure.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Too_large_an_MTU_is_refused_with_the_limit_and_what_was_found()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1", mtu: 9000);
        space.Run(() =>
        {
            using var program = new RedirectProgram();
            var failure = Assert.Throws<XdpException>(() => XdpLink.Attach(program.CountAndDrop, Device.Find("a1")));
            Assert.Contains("3506", failure.Message, StringComparison.Ordinal);
            Assert.Contains("9000", failure.Message, StringComparison.Ordinal);
            space.Ip("link", "set", "a0", "mtu", "3506");
            using var link = XdpLink.Attach(program.CountAndDrop, Device.Find("a1"));
        });
    }

    [Fact]
    public void Fewer_receive_queues_than_the_peer_sends_on_is_refused_with_the_command_that_helps()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1", queues: 2);
        Tool.Run("ip", "netns", "exec", space.Name, "ethtool", "-L", "a1", "rx", "1");
        space.Run(() =>
        {
            using var program = new RedirectProgram();
            var failure = Assert.Throws<XdpException>(() => XdpLink.Attach(program.CountAndDrop, Device.Find("a1")));
            Assert.Contains("ethtool -L a1 rx", failure.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_path_outside_a_bpffs_is_refused_before_anything_is_made_there()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        var folder = Directory.CreateTempSubdirectory("cxa");
        try
        {
            space.Run(() =>
            {
                using var program = new RedirectProgram();
                var failure = Assert.Throws<XdpException>(() =>
                    XdpLink.AttachPinned(program.CountAndDrop, Device.Find("a1"), $"{folder.FullName}/cookiexdp/uplink"));
                Assert.Contains("not in a bpffs", failure.Message, StringComparison.Ordinal);
                Assert.Contains("mount -t bpf bpf", failure.Message, StringComparison.Ordinal);
                Assert.Empty(folder.GetFileSystemInfos());
                Assert.True(BpfFileSystem.Holds(space.BpfFs));
                Assert.False(BpfFileSystem.Holds(folder.FullName));
            });
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Something_pinned_that_is_no_link_is_refused_and_left_where_it_is()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1");
        space.Run(() =>
        {
            using var program = new RedirectProgram();
            var pin = $"{space.BpfFs}/program";
            Assert.Equal(0, LibBpf.Pin(program.Redirect.Handle, pin));
            Assert.Contains("no XDP link", Assert.Throws<XdpException>(() => XdpLink.OpenPinned(pin)).Message, StringComparison.Ordinal);
            Assert.True(File.Exists(pin));
        });
    }
}
