using System.Buffers.Binary;
using System.Security.Cryptography;

namespace CookieXdp.Dataplane.Flows;

/// <summary>
/// The first page of a flow file, little-endian: magic 8, layout version 4, bytes of an entry 4, capacity 4, reserved 4 (zero), boot id 16,
/// begin of the table 4 (seconds of <see cref="FlowClock"/>), reserved 4 (zero), secrets of the hash 48, and the first 16 bytes of the SHA-256
/// of all that. The rest of the page is zero.
/// </summary>
/// <param name="Capacity">Flows at a time.</param>
/// <param name="BootId">Which boot of the machine its seconds count from.</param>
/// <param name="Created">When the table began.</param>
/// <param name="Hash">The secrets.</param>
internal sealed record FlowFileHeader(int Capacity, Guid BootId, uint Created, FlowHash Hash)
{
    /// <summary>Bytes of the header: the entries begin on the next page.</summary>
    internal const int Length = 4096;

    /// <summary>Goes up with every change of the header's or an entry's layout or meaning.</summary>
    internal const uint Version = 1;

    private const int VersionOffset = 8;
    private const int EntryLengthOffset = 12;
    private const int CapacityOffset = 16;
    private const int BootIdOffset = 24;
    private const int CreatedOffset = 40;
    private const int SecretsOffset = 48;
    private const int ChecksumOffset = SecretsOffset + FlowHash.Length;
    private const int ChecksumLength = 16;

    private static ReadOnlySpan<byte> Magic => "cxdpflow"u8;

    /// <summary>Bytes of a file of a capacity.</summary>
    internal static long FileLengthOf(int capacity) => Length + (long)FlowMemory.EntriesOf(capacity) * Flow.Length;

    /// <summary>The page.</summary>
    internal byte[] ToBytes()
    {
        var page = new byte[Length];
        Magic.CopyTo(page);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(VersionOffset), Version);
        BinaryPrimitives.WriteInt32LittleEndian(page.AsSpan(EntryLengthOffset), Flow.Length);
        BinaryPrimitives.WriteInt32LittleEndian(page.AsSpan(CapacityOffset), Capacity);
        BootId.TryWriteBytes(page.AsSpan(BootIdOffset));
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(CreatedOffset), Created);
        Hash.Write(page.AsSpan(SecretsOffset));
        ChecksumOf(page).CopyTo(page.AsSpan(ChecksumOffset));
        return page;
    }

    /// <summary>Reads a page and believes none of it unchecked.</summary>
    /// <param name="page">The file's first bytes.</param>
    /// <param name="fileLength">The file's length.</param>
    /// <param name="bootId">The machine's boot.</param>
    /// <param name="now">Seconds of <see cref="FlowClock"/>.</param>
    /// <exception cref="InvalidDataException">It is no header of this program, machine and boot; the message says why.</exception>
    internal static FlowFileHeader Read(ReadOnlySpan<byte> page, long fileLength, Guid bootId, uint now)
    {
        if (page.Length < Length || !page.StartsWith(Magic))
            throw new InvalidDataException("it is no flow table");
        var version = BinaryPrimitives.ReadUInt32LittleEndian(page[VersionOffset..]);
        if (version != Version)
            throw new InvalidDataException($"its layout is version {version}, and this program's is {Version}");
        if (!page.Slice(ChecksumOffset, ChecksumLength).SequenceEqual(ChecksumOf(page)))
            throw new InvalidDataException("its header's checksum is wrong");
        var header = new FlowFileHeader(
            BinaryPrimitives.ReadInt32LittleEndian(page[CapacityOffset..]),
            new Guid(page.Slice(BootIdOffset, 16)),
            BinaryPrimitives.ReadUInt32LittleEndian(page[CreatedOffset..]),
            FlowHash.Read(page[SecretsOffset..]));
        var entryLength = BinaryPrimitives.ReadInt32LittleEndian(page[EntryLengthOffset..]);
        if (entryLength != Flow.Length)
            throw new InvalidDataException($"its entries have {entryLength} bytes, and this program's have {Flow.Length}");
        if (header.Capacity < 1 || fileLength != FileLengthOf(header.Capacity))
            throw new InvalidDataException($"it has {fileLength} bytes, which do not fit the {header.Capacity} flows that its header speaks of");
        if (header.BootId != bootId)
            throw new InvalidDataException("it was written before the machine was started anew");
        if (header.Created > now)
            throw new InvalidDataException("it was begun in the future: the machine's clock has gone back");
        return header;
    }

    private static ReadOnlySpan<byte> ChecksumOf(ReadOnlySpan<byte> page) => SHA256.HashData(page[..ChecksumOffset]).AsSpan(0, ChecksumLength);
}
