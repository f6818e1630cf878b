using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace CookieXdp.Cookies;

/// <summary>
/// The secret of 32 bytes that every key is derived from. Hosts that hold the same one agree with no talk at all.
/// Only the keeper (and the commands that are handed its file) reads it.
/// </summary>
public sealed class MasterSecret : IDisposable
{
    /// <summary>Bytes of the secret.</summary>
    public const int Length = 32;

    /// <summary>Bytes of every key derived here.</summary>
    public const int KeyLength = 16;

    private readonly byte[] _secret;

    private MasterSecret(byte[] secret) => _secret = secret;

    /// <summary>From 32 bytes.</summary>
    /// <exception cref="ArgumentException">Another length, or all bytes zero.</exception>
    public static MasterSecret FromBytes(ReadOnlySpan<byte> secret)
    {
        if (secret.Length != Length)
            throw new ArgumentException($"a master secret has {Length} bytes, not {secret.Length}", nameof(secret));
        if (!secret.ContainsAnyExcept((byte)0))
            throw new ArgumentException("a master secret of zeros only is no secret", nameof(secret));
        return new(secret.ToArray());
    }

    /// <summary>Reads what a master file holds: 32 raw bytes, or 64 hex digits and an optional newline.</summary>
    /// <param name="content">The file's content.</param>
    /// <param name="secret">The secret, where it could be read.</param>
    /// <param name="error">What is wrong and what would be right (never the content), where it could not.</param>
    public static bool TryParse(ReadOnlySpan<byte> content, [NotNullWhen(true)] out MasterSecret? secret, [NotNullWhen(false)] out string? error)
    {
        secret = null;
        Span<byte> bytes = stackalloc byte[Length];
        if (content.Length == Length)
        {
            content.CopyTo(bytes);
        }
        else
        {
            var digits = content.TrimEnd("\r\n"u8);
            if (digits.Length != 2 * Length || content.Length > digits.Length + 2
                || Convert.FromHexString(Encoding.ASCII.GetString(digits), bytes, out _, out _) != System.Buffers.OperationStatus.Done)
            {
                error = string.Create(CultureInfo.InvariantCulture,
                    $"holds {content.Length} bytes that are no master secret: {Length} raw bytes, or {2 * Length} hex digits and an optional newline, would be");
                return false;
            }
        }
        if (!bytes.ContainsAnyExcept((byte)0))
        {
            error = "holds only zeros, which is no secret: 32 random bytes would be right (head -c 32 /dev/urandom)";
            return false;
        }
        secret = new(bytes.ToArray());
        CryptographicOperations.ZeroMemory(bytes);
        error = null;
        return true;
    }

    /// <summary>Reads a master file; what is wrong with it is said with its name.</summary>
    /// <exception cref="InvalidDataException">The file holds no master secret.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static MasterSecret ReadFile(string path)
    {
        Span<byte> content = stackalloc byte[2 * Length + 3];
        int length;
        if (Directory.Exists(path))
            throw new InvalidDataException($"{path}: is a folder, and no master file");
        using (var file = File.OpenRead(path))
            length = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
        var ok = TryParse(content[..length], out var secret, out var error);
        CryptographicOperations.ZeroMemory(content);
        return ok ? secret! : throw new InvalidDataException($"{path}: {error}");
    }

    /// <summary>Derives the key that mints the cookies of one prefix for one epoch.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="epoch">The UTC day, not negative.</param>
    /// <param name="key">Receives <see cref="KeyLength"/> bytes.</param>
    public void DeriveEpochKey(CookiePrefix prefix, long epoch, Span<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        var label = "address-cookie/v1"u8;
        Span<byte> info = stackalloc byte[label.Length + CookiePrefix.ByteLength + sizeof(long)];
        label.CopyTo(info);
        prefix.CopyTo(info[label.Length..]);
        System.Buffers.Binary.BinaryPrimitives.WriteInt64BigEndian(info[(label.Length + CookiePrefix.ByteLength)..], epoch);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret, key[..KeyLength], salt: "cookiexdp"u8, info);
    }

    /// <summary>Whether two secrets are equal, told in constant time.</summary>
    internal bool IsSameAs(MasterSecret other) => CryptographicOperations.FixedTimeEquals(_secret, other._secret);

    /// <summary>Tells secrets apart without telling them: eight hex digits of a derivation of its own.</summary>
    internal string Fingerprint
    {
        get
        {
            Span<byte> bytes = stackalloc byte[4];
            HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret, bytes, salt: "cookiexdp"u8, info: "fingerprint/v1"u8);
            return Convert.ToHexStringLower(bytes);
        }
    }

    /// <summary>Wipes the secret from memory.</summary>
    public void Dispose() => CryptographicOperations.ZeroMemory(_secret);
}
