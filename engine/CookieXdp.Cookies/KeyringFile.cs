namespace CookieXdp.Cookies;

/// <summary>The keyring on disk (better: on tmpfs). Written whole beside its place and renamed, so that no reader sees half of one.</summary>
public static class KeyringFile
{
    /// <summary>Who may read it: the keeper's user writes, its group (the programs that face the internet) reads.</summary>
    public const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    /// <summary>Puts a keyring in its place.</summary>
    /// <exception cref="IOException">It could not be written; what was there before is still there.</exception>
    public static void Publish(string path, ReadOnlySpan<byte> keyring)
    {
        var temporary = path + ".new";
        // Left behind by a keeper that was killed; CreateNew below must not meet it, nor follow a link that somebody planted.
        File.Delete(temporary);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Mode, BufferSize = 0 };
        using (var file = new FileStream(temporary, options))
        {
            // The umask may have taken the group's bit away, and readers in the group would find out only later.
            File.SetUnixFileMode(file.SafeFileHandle, Mode);
            file.Write(keyring);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads a keyring. It is read, not mapped: a map would end the process (SIGBUS) where somebody truncates the file.</summary>
    /// <exception cref="InvalidDataException">The file holds no sound keyring; the message names file and fault.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Keyring Read(string path)
    {
        byte[] bytes;
        using (var file = new FileStream(path, new FileStreamOptions { Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0 }))
        {
            if (file.Length > Keyring.MaxLength)
                throw new InvalidDataException($"{path}: has {file.Length} bytes, too many for a keyring");
            bytes = new byte[file.Length];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            bytes = bytes[..read];
        }
        try
        {
            return Keyring.Read(bytes);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
        finally
        {
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
