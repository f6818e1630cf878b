using CookieXdp.Dns.Messages;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Answers;

/// <summary>Why something that came got no answer.</summary>
internal enum DropReason
{
    /// <summary>Fewer bytes than a header has.</summary>
    Short,

    /// <summary>A response, not a query.</summary>
    Response,

    /// <summary>A source that cannot be answered to: port 0.</summary>
    Unanswerable,

    /// <summary>The answer could not be sent.</summary>
    SendFailed,

    /// <summary>A mistake of this program; the log has it.</summary>
    Fault,

    /// <summary>A TCP message of more than any query has.</summary>
    TooLong,
}

/// <summary>
/// What one thread counts, in memory that no other thread writes and no other thread's counters share a cache line with.
/// A scrape reads it while it changes.
/// </summary>
internal sealed class QueryCounters
{
    /// <summary>Query types that are counted by name, in the order of their slots; one more is all others.</summary>
    internal static readonly IReadOnlyList<(ushort Type, string Name)> Types =
    [
        (RecordType.A, "A"), (RecordType.Aaaa, "AAAA"), (RecordType.Mx, "MX"), (RecordType.Ns, "NS"), (RecordType.Soa, "SOA"),
        (RecordType.Txt, "TXT"), (RecordType.Any, "ANY"), (RecordType.Ds, "DS"), (48, "DNSKEY"), (52, "TLSA"), (65, "HTTPS"),
    ];

    /// <summary>Response codes in the order of their slots.</summary>
    internal static readonly IReadOnlyList<(ResponseCode Code, string Name)> Codes =
    [
        (ResponseCode.NoError, "NOERROR"), (ResponseCode.FormatError, "FORMERR"), (ResponseCode.ServerFailure, "SERVFAIL"),
        (ResponseCode.NameError, "NXDOMAIN"), (ResponseCode.NotImplemented, "NOTIMP"), (ResponseCode.Refused, "REFUSED"),
        (ResponseCode.BadVersion, "BADVERS"),
    ];

    private const int Padding = 128 / sizeof(long);
    private const int CodeSlots = 8;

    private static readonly int _dropsAt = (Types.Count + 1) * CodeSlots;
    private static readonly int _keylessAt = _dropsAt + (int)DropReason.TooLong + 1;
    private static readonly int _truncatedAt = _keylessAt + 1;
    private static readonly int _mintedAt = _truncatedAt + 1;

    private readonly long[] _slots;
    private readonly bool _isShared;

    /// <summary>All zero.</summary>
    /// <param name="serviceCount">Slots for minted addresses: see <see cref="MintedService.Index"/>.</param>
    /// <param name="isShared">Whether several threads count here (TCP); they pay for it with locked instructions.</param>
    internal QueryCounters(int serviceCount, bool isShared)
    {
        _slots = new long[Padding + _mintedAt + serviceCount + Padding];
        _isShared = isShared;
    }

    /// <summary>Counts an answered query.</summary>
    internal void CountAnswer(ushort type, ResponseCode code) => Add(TypeSlot(type) * CodeSlots + CodeSlot(code));

    /// <summary>Counts what got no answer.</summary>
    internal void CountDrop(DropReason reason) => Add(_dropsAt + (int)reason);

    /// <summary>Counts a minted address.</summary>
    internal void CountMinted(MintedService service) => Add(_mintedAt + service.Index);

    /// <summary>Counts a template name that was asked for when there was no key to mint with.</summary>
    internal void CountKeyless() => Add(_keylessAt);

    /// <summary>Counts an answer that said TC.</summary>
    internal void CountTruncated() => Add(_truncatedAt);

    /// <summary>Answers so far of a type's slot (<see cref="Types"/>, then all others) and a code's (<see cref="Codes"/>).</summary>
    internal long Answers(int typeSlot, int codeSlot) => Read(typeSlot * CodeSlots + codeSlot);

    /// <summary>Drops so far.</summary>
    internal long Drops(DropReason reason) => Read(_dropsAt + (int)reason);

    /// <summary>Minted addresses so far, by <see cref="MintedService.Index"/>.</summary>
    internal long Minted(int serviceIndex) => Read(_mintedAt + serviceIndex);

    /// <summary>Template names asked for without keys, so far.</summary>
    internal long Keyless => Read(_keylessAt);

    /// <summary>Answers with TC so far.</summary>
    internal long Truncated => Read(_truncatedAt);

    /// <summary>Which slot a type is counted in.</summary>
    internal static int TypeSlot(ushort type) => type switch
    {
        RecordType.A => 0,
        RecordType.Aaaa => 1,
        RecordType.Mx => 2,
        RecordType.Ns => 3,
        RecordType.Soa => 4,
        RecordType.Txt => 5,
        RecordType.Any => 6,
        RecordType.Ds => 7,
        48 => 8,
        52 => 9,
        65 => 10,
        _ => 11,
    };

    private static int CodeSlot(ResponseCode code) => code == ResponseCode.BadVersion ? 6 : (int)code;

    private long Read(int slot) => Volatile.Read(ref _slots[Padding + slot]);

    private void Add(int slot)
    {
        ref var counter = ref _slots[Padding + slot];
        if (_isShared)
            Interlocked.Increment(ref counter);
        else
            Volatile.Write(ref counter, counter + 1);
    }
}
