using System.Buffers.Binary;
using System.Security.Cryptography;

namespace CookieXdp.Cookies;

/// <summary>
/// What the keeper publishes and the other programs read: the epoch keys of every prefix. An immutable value and its form as bytes.
/// </summary>
/// <remarks>
/// Little-endian throughout, except the prefix, which is network order:
/// <code>
/// header, 64 bytes   0 magic "CXDPKEYS" · 8 version u32 · 12 length of all in bytes u32 · 16 generation u64
///                    24 heartbeat, Unix seconds, i64 · 32 records u32 · 36 zero
/// record, 48 bytes   0 purpose u16 · 2 master u16 · 4 zero u32 · 8 prefix 6 bytes ‖ 0 0 · 16 epoch i64 · 24 key 16 bytes · 40 zero
/// trailer, 32 bytes  SHA-256 of everything before it
/// </code>
/// Records of a purpose that a reader does not know are passed over, so that new secrets need no new version.
/// </remarks>
public sealed class Keyring
{
    /// <summary>The version of the layout that is written and read.</summary>
    public const int Version = 1;

    /// <summary>The greatest number of bytes that a reader accepts.</summary>
    public const int MaxLength = 1 << 20;

    private const int HeaderLength = 64;
    private const int RecordLength = 48;
    private const int TrailerLength = SHA256.HashSizeInBytes;
    private const int PurposeAddressCookie = 1;

    private readonly Dictionary<CookiePrefix, PrefixKeys> _byPrefix;

    private Keyring(ulong generation, long heartbeat, Dictionary<CookiePrefix, PrefixKeys> byPrefix)
    {
        Generation = generation;
        Heartbeat = heartbeat;
        _byPrefix = byPrefix;
    }

    /// <summary>Changes whenever a key does, and only then; grows.</summary>
    public ulong Generation { get; }

    /// <summary>When the keeper last wrote, Unix seconds.</summary>
    public long Heartbeat { get; }

    /// <summary>The prefixes that it holds keys of.</summary>
    public IReadOnlyCollection<CookiePrefix> Prefixes => _byPrefix.Keys;

    /// <summary>The keys of a prefix, or null where the keyring has none.</summary>
    public PrefixKeys? KeysOf(CookiePrefix prefix) => _byPrefix.GetValueOrDefault(prefix);

    /// <summary>Writes a keyring: for each master and each prefix the keys of epochs now−2 … now+1 (none before 1970).</summary>
    /// <param name="masters">The active master first, then those that only open; up to <see cref="PrefixKeys.MasterCount"/>.</param>
    /// <param name="prefixes">The prefixes.</param>
    /// <param name="generation">See <see cref="Generation"/>.</param>
    /// <param name="unixSeconds">The time now, which is also the heartbeat.</param>
    public static byte[] Write(IReadOnlyList<MasterSecret> masters, IReadOnlyCollection<CookiePrefix> prefixes, ulong generation, long unixSeconds)
    {
        ArgumentNullException.ThrowIfNull(masters);
        ArgumentNullException.ThrowIfNull(prefixes);
        var today = CookieTime.EpochOf(unixSeconds);
        var firstEpoch = Math.Max(0, today - 2);
        var records = masters.Count * prefixes.Count * (int)(today + 1 - firstEpoch + 1);
        var bytes = new byte[HeaderLength + records * RecordLength + TrailerLength];
        "CXDPKEYS"u8.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), bytes.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), generation);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), unixSeconds);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(32), records);
        var record = bytes.AsSpan(HeaderLength);
        for (var master = 0; master < masters.Count; master++)
        {
            foreach (var prefix in prefixes)
            {
                for (var epoch = firstEpoch; epoch <= today + 1; epoch++)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(record, PurposeAddressCookie);
                    BinaryPrimitives.WriteUInt16LittleEndian(record[2..], (ushort)master);
                    prefix.CopyTo(record[8..]);
                    BinaryPrimitives.WriteInt64LittleEndian(record[16..], epoch);
                    masters[master].DeriveEpochKey(prefix, epoch, record[24..40]);
                    record = record[RecordLength..];
                }
            }
        }
        SHA256.HashData(bytes.AsSpan(0, bytes.Length - TrailerLength), record);
        return bytes;
    }

    /// <summary>Reads a keyring, and trusts nothing of it unchecked.</summary>
    /// <exception cref="InvalidDataException">What is wrong with it; never any key.</exception>
    public static Keyring Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderLength + TrailerLength || !bytes.StartsWith("CXDPKEYS"u8))
            throw new InvalidDataException("is no keyring: it does not begin as one; the keeper (cookiexdp keys serve) writes it");
        var version = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        if (version != Version)
            throw new InvalidDataException($"has version {version}, this program reads version {Version}: keeper and readers must be of one release");
        var length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        var count = BinaryPrimitives.ReadUInt32LittleEndian(bytes[32..]);
        if (length != bytes.Length || length > MaxLength || HeaderLength + (ulong)count * RecordLength + TrailerLength != length)
            throw new InvalidDataException($"has {bytes.Length} bytes where its header says {length} with {count} keys: it is cut short or damaged");
        Span<byte> hash = stackalloc byte[TrailerLength];
        SHA256.HashData(bytes[..^TrailerLength], hash);
        if (!hash.SequenceEqual(bytes[^TrailerLength..]))
            throw new InvalidDataException("has a checksum that does not match: it is damaged");
        return new(BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            ReadRecords(bytes[HeaderLength..^TrailerLength]));
    }

    private static Dictionary<CookiePrefix, PrefixKeys> ReadRecords(ReadOnlySpan<byte> records)
    {
        var seen = new HashSet<UInt128>();
        var ciphers = new Dictionary<CookiePrefix, List<EpochCipher>[]>();
        for (; !records.IsEmpty; records = records[RecordLength..])
        {
            if (BinaryPrimitives.ReadUInt16LittleEndian(records) != PurposeAddressCookie)
                continue;
            var master = BinaryPrimitives.ReadUInt16LittleEndian(records[2..]);
            var prefix = CookiePrefix.Of(records[8..]);
            var epoch = BinaryPrimitives.ReadInt64LittleEndian(records[16..]);
            var key = records[24..40];
            if (master >= PrefixKeys.MasterCount || epoch < 0)
                throw new InvalidDataException($"holds a key of master {master}, epoch {epoch}: only masters 0–{PrefixKeys.MasterCount - 1} and epochs from 0 on exist");
            if (!key.ContainsAnyExcept((byte)0))
                throw new InvalidDataException($"holds a key of zeros only, for {prefix}, epoch {epoch}");
            if (!seen.Add(BinaryPrimitives.ReadUInt128LittleEndian(key)))
                throw new InvalidDataException($"holds one key twice, the second time for {prefix}, epoch {epoch}");
            if (!ciphers.TryGetValue(prefix, out var byMaster))
                ciphers[prefix] = byMaster = [.. Enumerable.Range(0, PrefixKeys.MasterCount).Select(_ => new List<EpochCipher>())];
            byMaster[master].Add(new EpochCipher(prefix, epoch, key));
        }
        var result = new Dictionary<CookiePrefix, PrefixKeys>(ciphers.Count);
        foreach (var (prefix, byMaster) in ciphers)
        {
            try
            {
                result[prefix] = new PrefixKeys(prefix, byMaster);
            }
            catch (ArgumentException e)
            {
                throw new InvalidDataException($"holds two keys for one epoch of {prefix}", e);
            }
        }
        return result;
    }
}
