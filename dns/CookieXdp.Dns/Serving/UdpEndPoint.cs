using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CookieXdp.Cookies;
using CookieXdp.Dns.Answers;
using CookieXdp.Dns.Messages;

namespace CookieXdp.Dns.Serving;

/// <summary>
/// Answers UDP queries at one address, on a thread of its own that allocates nothing per query: buffers and the source address are
/// made once and used again.
/// </summary>
internal sealed class UdpEndPoint : IDisposable
{
    private readonly QueryResponder _responder;
    private readonly TimeProvider _time;
    private readonly FaultLog _faults;
    private readonly Socket _socket;
    private readonly SocketAddress _source;
    private readonly byte[] _query = GC.AllocateUninitializedArray<byte>(Wire.MaxMessageLength, pinned: true);
    private readonly byte[] _response = GC.AllocateUninitializedArray<byte>(Wire.MaxUdpSize, pinned: true);
    private Thread? _thread;
    private volatile bool _isStopping;

    /// <summary>Binds the address.</summary>
    /// <exception cref="SocketException">It cannot be bound.</exception>
    internal UdpEndPoint(IPEndPoint endPoint, QueryResponder responder, QueryCounters counters, TimeProvider time, FaultLog faults)
    {
        _responder = responder;
        _time = time;
        _faults = faults;
        Counters = counters;
        _socket = new Socket(endPoint.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            // So that 0.0.0.0 and [::] can both be listened at.
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
                _socket.DualMode = false;
            // Room for a burst while the thread is not on a processor; the kernel gives what net.core.rmem_max allows.
            _socket.ReceiveBufferSize = 1 << 20;
            _socket.Bind(endPoint);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
        LocalEndPoint = (IPEndPoint)_socket.LocalEndPoint!;
        _source = new SocketAddress(endPoint.AddressFamily);
    }

    /// <summary>Where it listens.</summary>
    internal IPEndPoint LocalEndPoint { get; }

    /// <summary>What it counts.</summary>
    internal QueryCounters Counters { get; }

    /// <summary>Begins to answer.</summary>
    internal void Start()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = $"udp {LocalEndPoint}" };
        _thread.Start();
    }

    /// <summary>Stops answering and frees the address.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _socket.Dispose();
        _thread?.Join(TimeSpan.FromSeconds(5));
    }

    /// <summary>Waits for one query and answers it.</summary>
    /// <exception cref="SocketException">Nothing could be received.</exception>
    internal void AnswerOne()
    {
        var received = _socket.ReceiveFrom(_query, SocketFlags.None, _source);
        if (!TryReadSource(out var resolver))
        {
            Counters.CountDrop(DropReason.Unanswerable);
            return;
        }
        var context = new QueryContext(resolver, Transport.Udp, _time.GetUtcNow().ToUnixTimeSeconds(), Counters);
        var length = _responder.Answer(_query.AsSpan(0, received), context, _response);
        if (length == 0)
            return;
        try
        {
            _socket.SendTo(_response.AsSpan(0, length), SocketFlags.None, _source);
        }
        catch (SocketException) when (!_isStopping)
        {
            Counters.CountDrop(DropReason.SendFailed);
        }
    }

    private void Run()
    {
        while (!_isStopping)
        {
            try
            {
                AnswerOne();
            }
            catch (Exception e) when (_isStopping && e is SocketException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // The socket itself: at once again would only be busy.
                Counters.CountDrop(DropReason.Fault);
                _faults.Tell(LocalEndPoint, "udp", e);
                Thread.Sleep(10);
            }
            catch (Exception e)
            {
                // Whatever a datagram brings about, the next one is answered.
                Counters.CountDrop(DropReason.Fault);
                _faults.Tell(LocalEndPoint, "udp", e);
            }
        }
    }

    /// <summary>Reads sockaddr_in or sockaddr_in6 (netinet/in.h): port at 2, address at 4 or 8, both in network byte order.</summary>
    private bool TryReadSource(out ResolverNetwork resolver)
    {
        var bytes = _source.Buffer.Span;
        resolver = ResolverNetwork.FromAddress(_source.Family == AddressFamily.InterNetworkV6 ? bytes.Slice(8, 16) : bytes.Slice(4, 4));
        return BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]) != 0;
    }
}
