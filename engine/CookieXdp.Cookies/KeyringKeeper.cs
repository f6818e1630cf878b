namespace CookieXdp.Cookies;

/// <summary>
/// What the keeper does each second: read the master files, derive, publish. Beside the active master (PATH) may lie PATH.next,
/// staged by a rotation, and PATH.previous, which it replaced: both only open. The keeper alone ever holds a master.
/// </summary>
public sealed class KeyringKeeper
{
    /// <summary>Ending of a staged master's file: other hosts open with it before the first one mints with it.</summary>
    public const string NextSuffix = ".next";

    /// <summary>Ending of the replaced master's file: what it minted still opens.</summary>
    public const string PreviousSuffix = ".previous";

    /// <summary>Seconds between two heartbeats, if no key changes.</summary>
    public const int HeartbeatSeconds = 5;

    private readonly string _masterPath;
    private readonly string _keyringPath;
    private readonly IReadOnlyCollection<CookiePrefix> _prefixes;
    private readonly Action<string> _report;
    private readonly Action<string> _warn;
    private ulong _generation;
    private long _published = long.MinValue;
    private long _publishedEpoch = long.MinValue;
    private string _publishedMasters = "";
    private string? _lastProblem;

    /// <summary>Prepares a keeper; nothing is read or written yet.</summary>
    /// <param name="masterPath">The master file.</param>
    /// <param name="keyringPath">Where to publish.</param>
    /// <param name="prefixes">The prefixes to derive keys for.</param>
    /// <param name="report">Told what was done.</param>
    /// <param name="warn">Told what is wrong, once each.</param>
    public KeyringKeeper(string masterPath, string keyringPath, IReadOnlyCollection<CookiePrefix> prefixes, Action<string> report, Action<string> warn)
    {
        _masterPath = masterPath;
        _keyringPath = keyringPath;
        _prefixes = prefixes;
        _report = report;
        _warn = warn;
    }

    /// <summary>
    /// Makes the master file where there is none: 32 random bytes, readable by its owner alone.
    /// </summary>
    /// <returns>Whether one was made.</returns>
    public bool CreateMasterIfMissing()
    {
        if (File.Exists(_masterPath))
            return false;
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_masterPath))!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var secret = System.Security.Cryptography.RandomNumberGenerator.GetBytes(MasterSecret.Length);
        var temporary = _masterPath + ".new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead }))
        {
            file.Write(secret);
            file.Flush(flushToDisk: true);
        }
        System.Security.Cryptography.CryptographicOperations.ZeroMemory(secret);
        // Never over one that appeared meanwhile: a lost master is lost mail.
        File.Move(temporary, _masterPath, overwrite: false);
        return true;
    }

    /// <summary>
    /// Publishes where something has changed or a heartbeat is due. What is wrong is reported and leaves what was published.
    /// </summary>
    /// <returns>Whether a sound keyring of this keeper stands.</returns>
    public bool Tick(long unixSeconds)
    {
        List<MasterSecret> masters = [];
        try
        {
            var names = ReadMasters(masters);
            var epoch = CookieTime.EpochOf(unixSeconds);
            var changed = epoch != _publishedEpoch || names != _publishedMasters;
            if (changed || unixSeconds >= _published + HeartbeatSeconds || unixSeconds < _published)
            {
                if (changed)
                    _generation = NextGeneration();
                KeyringFile.Publish(_keyringPath, Keyring.Write(masters, _prefixes, _generation, unixSeconds));
                if (_publishedMasters.Length > 0 && names != _publishedMasters)
                    _warn("the master files have changed: what a master minted that is no longer there does not open any more");
                if (changed)
                    _report($"published generation {_generation}: {_prefixes.Count} prefix(es), {masters.Count} master(s), epochs {Math.Max(0, epoch - 2)} to {epoch + 1}");
                (_published, _publishedEpoch, _publishedMasters) = (unixSeconds, epoch, names);
            }
            _lastProblem = null;
            return true;
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            if (_lastProblem != e.Message)
                _warn(_publishedEpoch == long.MinValue ? e.Message : $"{e.Message}; what is published stays, and mints until the end of epoch {_publishedEpoch + 1}");
            _lastProblem = e.Message;
            return false;
        }
        finally
        {
            foreach (var master in masters)
                master.Dispose();
        }
    }

    /// <summary>Refuses a master file that others than its owner and group may read, or that others than its owner may write.</summary>
    /// <exception cref="InvalidDataException">The file's mode is too open.</exception>
    public static void CheckMode(string path)
    {
        // A systemd credential is owned by root and shows its access list's mask as group read: that bit is allowed.
        const UnixFileMode tooOpen = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
        if ((File.GetUnixFileMode(path) & tooOpen) != UnixFileMode.None)
            throw new InvalidDataException($"{path}: others may read or change it, so it is no secret: chmod 0400 {path}");
    }

    private string ReadMasters(List<MasterSecret> masters)
    {
        var names = new System.Text.StringBuilder();
        foreach (var path in (ReadOnlySpan<string>)[_masterPath, _masterPath + NextSuffix, _masterPath + PreviousSuffix])
        {
            if (path != _masterPath && !File.Exists(path))
                continue;
            CheckMode(path);
            var master = MasterSecret.ReadFile(path);
            if (masters.Exists(other => other.IsSameAs(master)))
            {
                master.Dispose();
                throw new InvalidDataException($"{path}: holds the same secret as another master file; each must hold its own");
            }
            masters.Add(master);
            names.Append(path).Append(' ').Append(master.Fingerprint).Append('\n');
        }
        return names.ToString();
    }

    /// <summary>Grows also across keepers that never knew of each other: readers take equal generations for equal keys.</summary>
    private ulong NextGeneration()
    {
        var least = _generation;
        try
        {
            least = Math.Max(least, KeyringFile.Read(_keyringPath).Generation);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            // None there, or a damaged one: it is about to be replaced.
        }
        return Math.Max(least + 1, (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
    }
}
