using CookieXdp.Cookies;
using CookieXdp.Hosting;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace CookieXdp.Engine.Control;

/// <summary>
/// The keeper as a process: a tick each second, under a lock that lets only one keeper publish a keyring. The only holder of the master.
/// </summary>
internal sealed class KeeperService(Settings settings, ILogger<KeeperService> log) : IHostedService, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private FileStream? _lock;
    private Task _ticking = Task.CompletedTask;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(settings.Keyring)!);
            _lock = new FileStream(settings.Keyring + ".lock", new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None });
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StartException($"{settings.Keyring}.lock: cannot be opened: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new StartException($"{settings.Keyring}.lock: cannot be taken ({e.Message}): does another keeper serve this keyring?", e);
        }
        var keeper = new KeyringKeeper(settings.Keeper!.Master, settings.Keyring, [.. settings.Prefixes.Select(prefix => prefix.Prefix)], Say, Warn);
        try
        {
            if (keeper.CreateMasterIfMissing())
                log.LogWarning("{Master}: made a new master secret; every host of these prefixes needs the same one", settings.Keeper.Master);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException($"{settings.Keeper.Master}: there is no master, and none can be made: {e.Message}", e);
        }
        if (!keeper.Tick(DateTimeOffset.UtcNow.ToUnixTimeSeconds()))
            throw new StartException("the keeper has nothing to publish; the line before says why");
        log.LogInformation("ready: serving {Keyring}", settings.Keyring);
        _ticking = TickAsync(keeper);
        await Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _ticking;
    }

    public void Dispose()
    {
        _lock?.Dispose();
        _stopping.Dispose();
    }

    private async Task TickAsync(KeyringKeeper keeper)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token))
                keeper.Tick(DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        }
        catch (OperationCanceledException)
        {
            // The keyring stays: opening and minting go on with what is there.
        }
    }

    private void Say(string line) => log.LogInformation("{Line}", line);

    private void Warn(string line) => log.LogWarning("{Line}", line);
}
