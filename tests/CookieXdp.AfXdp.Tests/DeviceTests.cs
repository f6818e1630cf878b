using CookieXdp.AfXdp.Tests.Support;

namespace CookieXdp.AfXdp.Tests;

public sealed class DeviceTests
{
    [Fact]
    public void A_device_is_found_in_the_namespace_of_the_thread_with_all_that_is_asked_of_it()
    {
        using var space = new NetworkNamespace();
        space.AddPair("a0", "a1", mtu: 1400, queues: 2);
        space.Ip("link", "set", "a1", "address", "02:00:00:00:be:ef");
        space.Run(() =>
        {
            var device = Device.Find("a1");
            Assert.Equal("a1", device.Name);
            Assert.Equal("02:00:00:00:be:ef", device.Mac.ToString());
            Assert.Equal(1400, device.Mtu);
            Assert.True(device.IsUp);
            Assert.Equal(2, device.ReceiveQueues);
            Assert.Equal(2, device.TransmitQueues);
            Assert.True(device.Index > 1);
            space.Ip("link", "set", "a1", "down");
            Assert.False(Device.Find("a1").IsUp);
        });
        Assert.Throws<XdpException>(() => Device.Find("a1"));
    }

    [Theory]
    [InlineData("nosuchdevice", "nosuchdevice")]
    [InlineData("", "1 to 15 bytes")]
    [InlineData("a/b", "a/b")]
    [InlineData("a\0b", "slash")]
    [InlineData("aname-that-is-too-long", "1 to 15 bytes")]
    [InlineData("ÄÄÄÄÄÄÄÄ", "1 to 15 bytes")]
    [InlineData("lo", "no Ethernet interface")]
    public void A_name_without_a_usable_device_is_refused_with_the_name(string name, string said) =>
        Assert.Contains(said, Assert.Throws<XdpException>(() => Device.Find(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void An_ethernet_address_is_six_bytes_that_compare_and_print()
    {
        var address = new MacAddress([2, 0, 0, 0xab, 0xcd, 0xef, 99]);
        Assert.Equal("02:00:00:ab:cd:ef", address.ToString());
        Assert.True(address == new MacAddress([2, 0, 0, 0xab, 0xcd, 0xef]));
        Assert.True(address != default);
        Assert.Throws<ArgumentException>(() => new MacAddress([1, 2, 3, 4, 5]));
    }
}
