using System.Net;
using System.Net.Sockets;

namespace CookieXdp.Lab;

/// <summary>A network namespace: a machine of the lab as far as the network is concerned.</summary>
public sealed class Namespace : IAsyncDisposable
{
    private Namespace(string name) => Name = name;

    /// <summary>Its name for <c>ip netns exec</c>.</summary>
    public string Name { get; }

    /// <summary>Makes one, with its loopback interface up.</summary>
    /// <exception cref="LabException">It could not be made.</exception>
    public static async Task<Namespace> CreateAsync(string name)
    {
        (await new Command("ip", "netns", "add", name).RunAsync()).Demand();
        var made = new Namespace(name);
        await made.RunAsync("ip", "link", "set", "lo", "up");
        return made;
    }

    /// <summary>Runs a command in it to its end.</summary>
    /// <returns>What it wrote to standard output.</returns>
    /// <exception cref="LabException">It failed.</exception>
    public async Task<string> RunAsync(string program, params IReadOnlyList<string> arguments) =>
        (await new Command(program, arguments) { In = this }.RunAsync()).Demand().Output;

    /// <summary>
    /// Does something on a thread that is inside it. What is opened there (a socket) stays inside, whichever thread uses it later.
    /// </summary>
    public T Inside<T>(Func<T> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        T result = default!;
        Exception? failure = null;

        // A thread of its own, which ends here: one of the pool would carry the namespace to somebody else's work.
        var thread = new Thread(() =>
        {
            try
            {
                SystemCalls.EnterNetwork("/run/netns/" + Name);
                result = action();
            }
            catch (Exception error)
            {
                failure = error;
            }
        })
        { IsBackground = true, Name = Name };
        thread.Start();
        thread.Join();
        if (failure is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        return result;
    }

    /// <summary>A socket inside it.</summary>
    public Socket OpenSocket(AddressFamily family, SocketType type, ProtocolType protocol) =>
        Inside(() => new Socket(family, type, protocol));

    /// <summary>A TCP connection from inside it.</summary>
    /// <param name="remote">Where to.</param>
    /// <param name="source">The local address to use; null: the kernel chooses.</param>
    /// <param name="timeout">How long an answer may take; 3 seconds where null.</param>
    /// <exception cref="SocketException">Refused, unreachable, or (TimedOut) not answered in time.</exception>
    public async Task<Socket> ConnectAsync(IPEndPoint remote, IPAddress? source = null, TimeSpan? timeout = null)
    {
        ArgumentNullException.ThrowIfNull(remote);
        var socket = OpenSocket(remote.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (source is not null)
                socket.Bind(new IPEndPoint(source, 0));
            using var timer = new CancellationTokenSource(timeout ?? TimeSpan.FromSeconds(3));
            await socket.ConnectAsync(remote, timer.Token);
            return socket;
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            throw new SocketException((int)SocketError.TimedOut);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether a TCP connection from inside it is established, refused, or not answered at all.</summary>
    /// <inheritdoc cref="ConnectAsync"/>
    public async Task<ConnectOutcome> TryConnectAsync(IPEndPoint remote, IPAddress? source = null, TimeSpan? timeout = null)
    {
        try
        {
            using var socket = await ConnectAsync(remote, source, timeout);
            return ConnectOutcome.Established;
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => ConnectOutcome.Refused,
                SocketError.TimedOut => ConnectOutcome.NoAnswer,
                SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.AccessDenied => ConnectOutcome.Unreachable,
                _ => throw new LabException($"connecting from {Name} to {remote}: {error.Message} ({error.SocketErrorCode})", error),
            };
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await new Command("ip", "netns", "delete", Name).RunAsync();
}

/// <summary>What became of a TCP connection attempt.</summary>
public enum ConnectOutcome
{
    /// <summary>The handshake completed.</summary>
    Established,

    /// <summary>A reset came back.</summary>
    Refused,

    /// <summary>Nothing came back in time.</summary>
    NoAnswer,

    /// <summary>An ICMP error came back.</summary>
    Unreachable,
}
