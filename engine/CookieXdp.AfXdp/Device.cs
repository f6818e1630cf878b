using System.Text;
using CookieXdp.AfXdp.Native;
using Tmds.Linux;

namespace CookieXdp.AfXdp;

/// <summary>
/// A network interface of this thread's network namespace, as it was when it was looked up. Asked by ioctl and not read from
/// /sys, which shows the namespace of whoever mounted it.
/// </summary>
public sealed unsafe class Device
{
    private Device(string name, int index, MacAddress mac, int mtu, bool isUp, int receiveQueues, int transmitQueues)
    {
        Name = name;
        Index = index;
        Mac = mac;
        Mtu = mtu;
        IsUp = isUp;
        ReceiveQueues = receiveQueues;
        TransmitQueues = transmitQueues;
    }

    /// <summary>The interface's name.</summary>
    public string Name { get; }

    /// <summary>The interface's index in its network namespace, from 1.</summary>
    public int Index { get; }

    /// <summary>The hardware address.</summary>
    public MacAddress Mac { get; }

    /// <summary>The largest IP packet in bytes, without the Ethernet header.</summary>
    public int Mtu { get; }

    /// <summary>Whether the interface is administratively up.</summary>
    public bool IsUp { get; }

    /// <summary>Receive queues in use; 1 where the driver does not tell.</summary>
    public int ReceiveQueues { get; }

    /// <summary>Transmit queues in use; 1 where the driver does not tell.</summary>
    public int TransmitQueues { get; }

    /// <summary>Looks an Ethernet interface up by name.</summary>
    /// <exception cref="XdpException">There is none of that name, or it is no Ethernet interface; the message names it.</exception>
    public static Device Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Span<byte> bytes = stackalloc byte[InterfaceRequest.NameSize];
        if (name.Length == 0 || name.Contains('/', StringComparison.Ordinal) || name.Contains('\0', StringComparison.Ordinal)
            || Encoding.UTF8.GetByteCount(name) >= InterfaceRequest.NameSize)
            throw new XdpException($"interface \"{name}\": not an interface's name, which has 1 to {InterfaceRequest.NameSize - 1} bytes and no slash");
        bytes = bytes[..Encoding.UTF8.GetBytes(name, bytes)];

        var fd = SystemCalls.Socket(LibC.AF_INET, LibC.SOCK_DGRAM | LibC.SOCK_CLOEXEC, 0);
        if (fd < 0)
            throw XdpException.Of($"interface {name}: a socket to ask about it", -fd);
        try
        {
            var index = Ask(fd, name, bytes, InterfaceRequest.GetIndex).Number;
            var mtu = Ask(fd, name, bytes, InterfaceRequest.GetMtu).Number;
            var isUp = (Ask(fd, name, bytes, InterfaceRequest.GetFlags).Flags & InterfaceRequest.FlagUp) != 0;
            var hardware = Ask(fd, name, bytes, InterfaceRequest.GetHardwareAddress);
            if (hardware.HardwareFamily != InterfaceRequest.HardwareEthernet)
                throw new XdpException($"interface {name}: is no Ethernet interface (its hardware type is {hardware.HardwareFamily}); XDP needs one");
            var (receive, transmit) = Queues(fd, bytes);
            return new(name, index, new(new ReadOnlySpan<byte>(hardware.HardwareAddress, MacAddress.Length)), mtu, isUp, receive, transmit);
        }
        finally
        {
            _ = SystemCalls.Close(fd);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static InterfaceRequest Ask(int fd, string name, ReadOnlySpan<byte> bytes, int question)
    {
        InterfaceRequest request = default;
        bytes.CopyTo(new Span<byte>(request.Name, InterfaceRequest.NameSize));
        var error = SystemCalls.Ioctl(fd, question, &request);
        if (error < 0)
            throw XdpException.Of($"interface {name}", -error, -error == LibC.ENODEV
                ? "There is none of that name in this network namespace; `ip link` lists those there are" : "");
        return request;
    }

    private static (int Receive, int Transmit) Queues(int fd, ReadOnlySpan<byte> name)
    {
        var channels = new EthToolChannels { Command = EthToolChannels.GetChannels };
        InterfaceRequest request = default;
        name.CopyTo(new Span<byte>(request.Name, InterfaceRequest.NameSize));
        request.Data = &channels;
        // A driver that cannot say has one queue as far as anybody can know.
        if (SystemCalls.Ioctl(fd, InterfaceRequest.EthTool, &request) < 0)
            return (1, 1);
        return (Math.Max(1, (int)(channels.Receive + channels.Combined)), Math.Max(1, (int)(channels.Transmit + channels.Combined)));
    }
}
