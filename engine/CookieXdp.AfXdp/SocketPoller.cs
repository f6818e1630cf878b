using System.Runtime.InteropServices;
using CookieXdp.AfXdp.Native;
using Tmds.Linux;

namespace CookieXdp.AfXdp;

/// <summary>Waits for packets on several sockets, and for a <see cref="WakeEvent"/>. One thread; allocates nothing while waiting.</summary>
public sealed unsafe class SocketPoller : IDisposable
{
    private readonly int _sockets;
    private readonly int _count;
    private readonly WakeEvent? _wake;
    private PollEntry* _entries;

    /// <summary>Waits for these sockets, in this order, and for the event if there is one. None may be disposed before this.</summary>
    public SocketPoller(ReadOnlySpan<XdpSocket> sockets, WakeEvent? wake = null)
    {
        _sockets = sockets.Length;
        _count = sockets.Length + (wake is null ? 0 : 1);
        _wake = wake;
        _entries = (PollEntry*)NativeMemory.AllocZeroed((nuint)Math.Max(1, _count), (nuint)sizeof(PollEntry));
        for (var i = 0; i < _sockets; i++)
            _entries[i] = new() { Descriptor = sockets[i].Fd, Wanted = PollEntry.Readable };
        if (wake is not null)
            _entries[_sockets] = new() { Descriptor = wake.Fd, Wanted = PollEntry.Readable };
    }

    /// <summary>
    /// Waits until a socket has packets, the event is signalled, or the time is over. The kernel takes the opportunity to look at fill and
    /// TX rings that asked for a wakeup. A signalled event is cleared.
    /// </summary>
    /// <param name="timeoutMilliseconds">0 looks and does not wait; −1 waits without end.</param>
    /// <returns>How many are ready; 0 when the time is over or a signal handler ran.</returns>
    /// <exception cref="XdpException">The kernel refuses to wait, which only a closed descriptor explains.</exception>
    public int Wait(int timeoutMilliseconds)
    {
        var ready = SystemCalls.Poll(_entries, _count, timeoutMilliseconds);
        if (ready < 0)
        {
            for (var i = 0; i < _count; i++)
                _entries[i].Seen = 0;
            return ready == -LibC.EINTR ? 0 : throw XdpException.Of("poll", -ready);
        }
        WasWoken = _wake is not null && (_entries[_sockets].Seen & PollEntry.Readable) != 0;
        if (WasWoken)
            _wake!.Clear();
        return ready;
    }

    /// <summary>Whether the last wait found the event signalled.</summary>
    public bool WasWoken { get; private set; }

    /// <summary>Whether the last wait found packets on a socket.</summary>
    public bool IsReadable(int socket) => (Entry(socket).Seen & PollEntry.Readable) != 0;

    /// <summary>
    /// Whether the last wait found a socket unusable; waiting then returns at once every time. The kernels since 5.11 do not say so of a lost
    /// device: see <see cref="XdpSocket.DeviceError"/>.
    /// </summary>
    public bool HasFailed(int socket) => (Entry(socket).Seen & PollEntry.Failed) != 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        NativeMemory.Free(_entries);
        _entries = null;
    }

    private ref PollEntry Entry(int socket)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)socket, (uint)_sockets, nameof(socket));
        return ref _entries[socket];
    }
}
