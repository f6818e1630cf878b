namespace CookieXdp.Cookies;

/// <summary>
/// Follows the keyring file: whoever mints or opens looks at <see cref="Current"/> (one pointer, never the file). A file
/// that is missing or damaged changes nothing: what was read last stays in use.
/// </summary>
public sealed class KeyringWatcher : IDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly Action<string> _report;
    private readonly Action<Keyring>? _changed;
    private readonly Timer _timer;
    private readonly Lock _lock = new();
    private volatile Keyring? _current;
    private string? _lastProblem;

    /// <summary>Reads the keyring if it is there and looks again every second.</summary>
    /// <param name="path">The keyring file.</param>
    /// <param name="report">Told, once each, what is wrong with the file, and when it is well again. Called on any thread.</param>
    /// <param name="changed">Called after <see cref="Current"/> has changed to another generation, on any thread.</param>
    public KeyringWatcher(string path, Action<string> report, Action<Keyring>? changed = null)
    {
        _changed = changed;
        _path = path;
        _report = report;
        Look();
        _timer = new Timer(_ => Look(), state: null, _interval, _interval);
    }

    /// <summary>The keyring read last, or null where none was ever there.</summary>
    public Keyring? Current => _current;

    /// <summary>Waits until there is a keyring.</summary>
    public async Task<Keyring> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_current is { } keyring)
                return keyring;
            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken).ConfigureAwait(false);
            Look();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        // A timer's ticks may overlap where reading takes long; one look at a time is enough.
        if (!_lock.TryEnter())
            return;
        try
        {
            var keyring = KeyringFile.Read(_path);
            if (_lastProblem is not null)
                _report(_current is null ? $"{_path}: the keyring is there now" : $"{_path}: the keyring is readable again");
            _lastProblem = null;
            var changed = _current?.Generation != keyring.Generation;
            _current = keyring;
            if (changed)
                _changed?.Invoke(keyring);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            var problem = e is FileNotFoundException or DirectoryNotFoundException
                ? $"{_path}: there is no keyring yet; the keeper (cookiexdp keys serve) writes it"
                : e.Message;
            if (problem != _lastProblem)
                _report(problem);
            _lastProblem = problem;
        }
        finally
        {
            _lock.Exit();
        }
    }
}
