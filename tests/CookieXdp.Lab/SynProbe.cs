using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace CookieXdp.Lab;

/// <summary>
/// Single SYNs out of raw sockets, and what comes back. A real connect would repeat its SYN and so count more than once; this one sends
/// exactly as many as asked, as a scanner does.
/// </summary>
public sealed class SynProbe : IDisposable
{
    private const int ProtocolIpv6 = 41; // IPPROTO_IPV6
    private const int Ipv6Checksum = 7; // IPV6_CHECKSUM, linux/in6.h
    private const int Ipv6UnicastHops = 16; // IPV6_UNICAST_HOPS
    private const int ChecksumOffset = 16; // RFC 9293 §3.1
    private const int FirstPort = 20_000;
    private const int Ports = 10_000;

    private readonly Socket _tcp;
    private readonly Socket _icmp;
    private int _sent;

    /// <summary>Opens the sockets.</summary>
    /// <param name="from">The namespace to send from.</param>
    /// <param name="source">The source address, one of the namespace's.</param>
    /// <param name="hopLimit">The SYNs' hop limit; null: the kernel's own.</param>
    public SynProbe(Namespace from, IPAddress source, int? hopLimit = null)
    {
        ArgumentNullException.ThrowIfNull(from);
        _tcp = from.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Raw, ProtocolType.Tcp);
        _tcp.Bind(new IPEndPoint(source, 0));
        _tcp.ReceiveBufferSize = 4 << 20;
        Span<byte> offset = stackalloc byte[4];
        BitConverter.TryWriteBytes(offset, ChecksumOffset);
        _tcp.SetRawSocketOption(ProtocolIpv6, Ipv6Checksum, offset);
        if (hopLimit is { } hops)
        {
            Span<byte> limit = stackalloc byte[4];
            BitConverter.TryWriteBytes(limit, hops);
            _tcp.SetRawSocketOption(ProtocolIpv6, Ipv6UnicastHops, limit);
        }
        _icmp = from.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Raw, ProtocolType.IcmpV6);
        _icmp.Bind(new IPEndPoint(source, 0));
    }

    /// <summary>SYNs sent so far.</summary>
    public int Sent => _sent;

    /// <summary>Sends one SYN, from a source port of its own.</summary>
    /// <returns>That source port.</returns>
    /// <exception cref="LabException">The kernel would not send it, as where there is no route.</exception>
    public int Send(IPAddress destination, int port)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var sourcePort = FirstPort + _sent % Ports;
        Span<byte> segment = stackalloc byte[24];
        segment.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(segment, (ushort)sourcePort);
        BinaryPrimitives.WriteUInt16BigEndian(segment[2..], (ushort)port);
        BinaryPrimitives.WriteUInt32BigEndian(segment[4..], 0x1000_0000u + (uint)_sent);
        segment[12] = 6 << 4; // six words: one option
        segment[13] = 0x02; // SYN
        BinaryPrimitives.WriteUInt16BigEndian(segment[14..], 64_240);
        segment[20] = 2; // maximum segment size
        segment[21] = 4;
        BinaryPrimitives.WriteUInt16BigEndian(segment[22..], 1440);

        try
        {
            // A raw socket takes the port of an address for a protocol number: it must be zero.
            _tcp.SendTo(segment, new IPEndPoint(destination, 0));
        }
        catch (SocketException error)
        {
            throw new LabException($"no SYN could be sent to {destination}: {error.Message}", error);
        }

        _sent++;
        return sourcePort;
    }

    /// <summary>What has come back to the probe's ports, TCP and ICMPv6 errors alike, once nothing more has come for a while.</summary>
    /// <param name="quiet">How long nothing must come; 500 ms where null.</param>
    public IReadOnlyList<Answer> Answers(TimeSpan? quiet = null)
    {
        var answers = new List<Answer>();
        var pause = (quiet ?? TimeSpan.FromMilliseconds(500)).TotalMilliseconds;
        var last = Stopwatch.StartNew();
        while (last.ElapsedMilliseconds < pause)
        {
            if (Receive(_tcp, SegmentAnswer, answers) | Receive(_icmp, ErrorAnswer, answers))
                last.Restart();
            else
                Thread.Sleep(10);
        }

        return answers;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tcp.Dispose();
        _icmp.Dispose();
    }

    private static bool Receive(Socket socket, Func<ReadOnlySpan<byte>, IPAddress, Answer?> read, List<Answer> answers)
    {
        if (socket.Available == 0)
            return false;
        Span<byte> buffer = stackalloc byte[2048];
        EndPoint sender = new IPEndPoint(IPAddress.IPv6Any, 0);
        var length = socket.ReceiveFrom(buffer, ref sender);
        if (read(buffer[..length], ((IPEndPoint)sender).Address) is not { } answer)
            return false;
        answers.Add(answer);
        return true;
    }

    private static Answer? SegmentAnswer(ReadOnlySpan<byte> segment, IPAddress from)
    {
        if (segment.Length < 20 || BinaryPrimitives.ReadUInt16BigEndian(segment[2..]) is < FirstPort or >= FirstPort + Ports)
            return null;
        var kind = (segment[13] & 0x04) != 0 ? AnswerKind.Reset : AnswerKind.SynAck;
        return new(kind, from, BinaryPrimitives.ReadUInt16BigEndian(segment[2..]));
    }

    // Types below 128 are errors (RFC 4443 §2.1), whoever sends them; behind their 8 bytes stand the IPv6 header and the TCP ports.
    private static Answer? ErrorAnswer(ReadOnlySpan<byte> message, IPAddress from) =>
        message.Length >= 8 + 40 + 4 && message[0] < 128
            ? new(AnswerKind.IcmpError, from, BinaryPrimitives.ReadUInt16BigEndian(message[48..]))
            : null;

    /// <summary>What kind of answer came.</summary>
    public enum AnswerKind
    {
        /// <summary>The handshake's second segment: somebody listens.</summary>
        SynAck,

        /// <summary>A reset.</summary>
        Reset,

        /// <summary>An ICMPv6 error.</summary>
        IcmpError,
    }

    /// <summary>One answer.</summary>
    /// <param name="Kind">What it is.</param>
    /// <param name="From">Who sent it.</param>
    /// <param name="SourcePort">The port of ours that it answers.</param>
    public sealed record Answer(AnswerKind Kind, IPAddress From, int SourcePort);
}
