using CookieXdp.Hosting;

namespace CookieXdp.Engine.Control;

/// <summary>
/// The one engine of a configuration: a lock file beside the keyring, held as long as the process lives, however it ends. Who
/// would disturb a running engine takes it first.
/// </summary>
internal static class OwnerLock
{
    /// <summary>Takes the lock.</summary>
    /// <param name="settings">The configuration.</param>
    /// <param name="otherwise">What to say where somebody has it.</param>
    /// <exception cref="StartException">Somebody has it, or it cannot be made.</exception>
    internal static FileStream Take(Settings settings, string otherwise)
    {
        var folder = Path.GetDirectoryName(settings.Keyring)!;
        var path = Path.Combine(folder, "engine.lock");
        try
        {
            Directory.CreateDirectory(folder);
            return new FileStream(path, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None });
        }
        catch (UnauthorizedAccessException e)
        {
            throw new StartException($"{path}: cannot be opened: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new StartException($"{path}: {otherwise} ({e.Message})", e);
        }
    }
}
