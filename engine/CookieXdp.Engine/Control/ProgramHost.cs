using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace CookieXdp.Engine.Control;

/// <summary>Runs a long-lived program: signals, systemd's notify, and a log of single lines on standard error.</summary>
internal static class ProgramHost
{
    /// <summary>Runs until it is told to stop.</summary>
    /// <returns>0, or 1 where a service failed.</returns>
    internal static int Run(string name, Action<IServiceCollection> configure)
    {
        // The empty builder: no settings from the environment or from files that nobody named.
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { ApplicationName = name });
        builder.Services.AddSystemd();
        builder.Logging.AddSimpleConsole(options =>
        {
            options.SingleLine = true;
            options.ColorBehavior = LoggerColorBehavior.Disabled;
            options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            options.UseUtcTimestamp = true;
        });
        builder.Services.Configure<ConsoleLoggerOptions>(options => options.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));
        configure(builder.Services);
        using var host = builder.Build();
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
internal sealed class StartException(string message, Exception? inner = null) : Exception(message, inner);
