using System.Buffers.Binary;
using System.ComponentModel;
using System.Net;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using static Tmds.Linux.LibC;

namespace CookieXdp.Engine.Control;

/// <summary>
/// The three questions that control asks the kernel by rtnetlink (linux/rtnetlink.h, linux/neighbour.h): which way an address lies,
/// what a neighbour's hardware address is, and please find it out. One request at a time; a kernel that does not answer is an error
/// after a second, not a stall.
/// </summary>
internal sealed unsafe class RouteNetlink : IDisposable
{
    private const int HeaderLength = 16; // struct nlmsghdr
    private const int BodyLength = 12; // struct rtmsg, struct ndmsg
    private const ushort FlagRequest = 1;
    private const ushort FlagAcknowledge = 4;
    private const ushort FlagReplace = 0x100;
    private const ushort FlagCreate = 0x400;
    private const ushort TypeError = 2;
    private const ushort NewNeighbour = 28;
    private const ushort GetNeighbour = 30;
    private const ushort GetRoute = 26;
    private const ushort AttributeDestination = 1; // RTA_DST and NDA_DST
    private const ushort AttributeHardwareAddress = 2; // NDA_LLADDR
    private const ushort AttributeOutputInterface = 4; // RTA_OIF
    private const ushort AttributeGateway = 5; // RTA_GATEWAY
    private const byte NeighbourUse = 1; // NTF_USE: as if a packet had been sent to it
    private const ushort UsableStates = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80; // all but incomplete, failed and none

    private readonly int _socket;
    private readonly byte[] _buffer = new byte[8192];
    private uint _sequence;

    internal RouteNetlink()
    {
        _socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
        if (_socket < 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        var timeout = stackalloc long[2] { 1, 0 }; // struct timeval
        _ = setsockopt(_socket, SOL_SOCKET, SO_RCVTIMEO, timeout, 16);
    }

    /// <summary>Which way the kernel would send to an address.</summary>
    /// <param name="destination">An IPv6 address.</param>
    /// <param name="interfaceIndex">The interface it leaves by.</param>
    /// <param name="nextHop">The gateway, or the address itself where it is on the link.</param>
    /// <returns>False where there is no route.</returns>
    internal bool TryFindRoute(IPAddress destination, out int interfaceIndex, out IPAddress nextHop)
    {
        interfaceIndex = 0;
        nextHop = destination;
        var request = Begin(GetRoute, FlagRequest);
        request[HeaderLength] = (byte)AddressFamily6;
        request[HeaderLength + 1] = 128; // rtm_dst_len
        var length = Append(HeaderLength + BodyLength, AttributeDestination, destination.GetAddressBytes());
        var answer = Exchange(length);
        if (answer.IsEmpty)
            return false;
        for (var attributes = answer[BodyLength..]; TryReadAttribute(ref attributes, out var type, out var value);)
        {
            if (type == AttributeOutputInterface && value.Length == 4)
                interfaceIndex = BinaryPrimitives.ReadInt32LittleEndian(value);
            else if (type == AttributeGateway && value.Length == 16)
                nextHop = new IPAddress(value);
        }
        return interfaceIndex != 0;
    }

    /// <summary>The hardware address of a neighbour, or null where the kernel does not know it.</summary>
    internal PhysicalAddress? FindNeighbour(int interfaceIndex, IPAddress address)
    {
        var request = Begin(GetNeighbour, FlagRequest);
        request[HeaderLength] = (byte)AddressFamily6;
        BinaryPrimitives.WriteInt32LittleEndian(request[(HeaderLength + 4)..], interfaceIndex);
        var answer = Exchange(Append(HeaderLength + BodyLength, AttributeDestination, address.GetAddressBytes()));
        if (answer.IsEmpty || (BinaryPrimitives.ReadUInt16LittleEndian(answer[8..]) & UsableStates) == 0)
            return null;
        for (var attributes = answer[BodyLength..]; TryReadAttribute(ref attributes, out var type, out var value);)
        {
            if (type == AttributeHardwareAddress && value.Length == 6)
                return new PhysicalAddress(value.ToArray());
        }
        return null;
    }

    /// <summary>
    /// Has the kernel find a neighbour, or make sure that it is still there: it sees none of the traffic that XDP redirects, and
    /// would forget.
    /// </summary>
    internal void UseNeighbour(int interfaceIndex, IPAddress address)
    {
        var request = Begin(NewNeighbour, FlagRequest | FlagAcknowledge | FlagCreate | FlagReplace);
        request[HeaderLength] = (byte)AddressFamily6;
        BinaryPrimitives.WriteInt32LittleEndian(request[(HeaderLength + 4)..], interfaceIndex);
        request[HeaderLength + 10] = NeighbourUse; // ndm_flags
        Exchange(Append(HeaderLength + BodyLength, AttributeDestination, address.GetAddressBytes()));
    }

    public void Dispose() => _ = close(_socket);

    private static int AddressFamily6 => AF_INET6;

    private Span<byte> Begin(ushort type, ushort flags)
    {
        var request = _buffer.AsSpan(0, HeaderLength + BodyLength);
        request.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(request[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(request[6..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(request[8..], ++_sequence);
        return request;
    }

    private int Append(int at, ushort type, ReadOnlySpan<byte> value)
    {
        var attribute = _buffer.AsSpan(at);
        BinaryPrimitives.WriteUInt16LittleEndian(attribute, (ushort)(4 + value.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(attribute[2..], type);
        value.CopyTo(attribute[4..]);
        return at + 4 + ((value.Length + 3) & ~3);
    }

    /// <summary>Sends the request and returns the body of its answer; empty where the kernel says no, or only yes.</summary>
    private ReadOnlySpan<byte> Exchange(int length)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_buffer, length);
        fixed (byte* buffer = _buffer)
        {
            if (send(_socket, buffer, length, 0) < 0)
                throw new IOException($"rtnetlink: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
            // Answers to requests that ran out of time may still come; a bounded number of them is passed over.
            for (var attempt = 0; attempt < 16; attempt++)
            {
                var received = (int)recv(_socket, buffer, _buffer.Length, 0);
                if (received < 0)
                    throw new IOException($"rtnetlink: no answer: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");
                if (received < HeaderLength || BinaryPrimitives.ReadUInt32LittleEndian(_buffer.AsSpan(8)) != _sequence)
                    continue;
                var message = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(_buffer), (uint)received);
                var type = BinaryPrimitives.ReadUInt16LittleEndian(_buffer.AsSpan(4));
                return type == TypeError || message < HeaderLength + BodyLength ? default : _buffer.AsSpan(HeaderLength, message - HeaderLength);
            }
        }
        throw new IOException("rtnetlink: no answer to the request among sixteen messages");
    }

    private static bool TryReadAttribute(ref ReadOnlySpan<byte> attributes, out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (attributes.Length < 4)
            return false;
        int length = BinaryPrimitives.ReadUInt16LittleEndian(attributes);
        if (length < 4 || length > attributes.Length)
            return false;
        type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(attributes[2..]) & 0x3FFF);
        value = attributes[4..length];
        attributes = attributes[Math.Min((length + 3) & ~3, attributes.Length)..];
        return true;
    }
}
