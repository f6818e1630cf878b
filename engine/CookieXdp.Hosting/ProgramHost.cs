using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace CookieXdp.Hosting;

/// <summary>A long-lived program's host: signals, systemd's notify, and a log of single lines on standard error.</summary>
public static class ProgramHost
{
    /// <summary>Builds a host.</summary>
    /// <param name="name">The program's name.</param>
    /// <param name="configure">Adds the program's services.</param>
    public static IHost Build(string name, Action<IServiceCollection>? configure = null)
    {
        // The empty builder: no appsettings.json of the working directory and no environment variable has a say.
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = name, ContentRootPath = "/" });
        builder.Services.AddSystemd();
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.ColorBehavior = LoggerColorBehavior.Disabled;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.UseUtcTimestamp = true;
        });
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        // What a program cannot start for, it says itself, in one line and without a stack.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None);
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Services.Configure<ConsoleLifetimeOptions>(lifetime => lifetime.SuppressStatusMessages = true);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
        configure?.Invoke(builder.Services);
        return builder.Build();
    }

    /// <summary>Runs a program's services until it is told to stop.</summary>
    /// <returns>The exit code: 0, or 1 where it could not start or a service failed.</returns>
    public static int Run(string name, Action<IServiceCollection> configure)
    {
        using var host = Build(name, configure);
        try
        {
            host.Run();
        }
        catch (StartException e)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        return Environment.ExitCode;
    }
}

/// <summary>The program cannot start; the message says why, and what would be right.</summary>
/// <param name="message">The message.</param>
/// <param name="inner">What it came from, if anything.</param>
public sealed class StartException(string message, Exception? inner = null) : Exception(message, inner);
