using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Prometheus;

namespace CookieXdp.Hosting;

/// <summary>
/// Serves a registry as GET /metrics, by Kestrel: the metrics library's own server stands on HttpListener, which can bind no IPv6
/// literal, and serves one address only to those who name it in the Host header.
/// </summary>
public sealed class MetricsEndPoint : IAsyncDisposable, IDisposable
{
    private const int MaxConnections = 16;

    private readonly WebApplication _application;

    /// <summary>Binds the address and begins to serve.</summary>
    /// <param name="endPoint">Where; port 0 lets the system choose.</param>
    /// <param name="registry">What is served.</param>
    /// <exception cref="SocketException">It cannot be bound.</exception>
    public MetricsEndPoint(IPEndPoint endPoint, CollectorRegistry registry)
    {
        // The empty builder: no environment variable opens another port, and nothing is logged of who scrapes.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = MaxConnections;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Listen(endPoint);
        });
        _application = builder.Build();
        _application.Run(context => AnswerAsync(context, registry));
        try
        {
            _application.StartAsync().GetAwaiter().GetResult();
        }
        catch (IOException e) when (e.GetBaseException() is SocketException cause)
        {
            throw new SocketException(cause.ErrorCode, cause.Message);
        }
        var address = _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        LocalEndPoint = IPEndPoint.Parse(new Uri(address).Authority);
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint LocalEndPoint { get; }

    /// <summary>Stops serving and frees the address.</summary>
    public async ValueTask DisposeAsync()
    {
        using var atOnce = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _application.StopAsync(atOnce.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    private static async Task AnswerAsync(HttpContext context, CollectorRegistry registry)
    {
        var response = context.Response;
        if (context.Request.Path.Value is not ("/metrics" or "/metrics/"))
        {
            response.StatusCode = StatusCodes.Status404NotFound;
        }
        else if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        }
        else
        {
            response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            using var body = new MemoryStream();
            await registry.CollectAndExportAsTextAsync(body, context.RequestAborted).ConfigureAwait(false);
            response.ContentLength = body.Length;
            if (HttpMethods.IsGet(context.Request.Method))
                await response.BodyWriter.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length), context.RequestAborted).ConfigureAwait(false);
        }
    }
}
