using System.Net;
using System.Net.Sockets;
using CookieXdp.Lab;

namespace CookieXdp.SystemTests;

/// <summary>One stage for all tests that leave it as they found it.</summary>
public sealed class StageFixture : IAsyncLifetime
{
    public Stage Stage { get; private set; } = null!;

    public Topology Topology => Stage.Topology;

    public Edge Edge => Stage.Edge;

    public async ValueTask InitializeAsync() => Stage = await Stage.RaiseAsync();

    public async ValueTask DisposeAsync()
    {
        if (Stage is not null)
            await Stage.DisposeAsync();
    }

    /// <summary>A genuine, fresh address of the SMTP service.</summary>
    public Task<IPAddress> MintAsync(string resolver = "192.0.2.53", TimeSpan age = default) =>
        Edge.MintAsync(IPAddress.Parse(resolver), DateTimeOffset.UtcNow - age);

    /// <summary>A listener in a namespace.</summary>
    public static Socket Listen(Namespace where, int port)
    {
        var listener = where.OpenSocket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, optionValue: true);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        listener.Listen(128);
        return listener;
    }

    /// <summary>Waits until something is so, at most ten seconds.</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo, string what)
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            if (await isSo())
                return;
            await Task.Delay(100);
        }
        Assert.Fail($"not so within ten seconds: {what}");
    }
}

[CollectionDefinition(nameof(StageFixture))]
public sealed class StageCollection : ICollectionFixture<StageFixture>;
