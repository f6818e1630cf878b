namespace CookieXdp.Dns.Messages;

/// <summary>What an answer says of its query (IANA "DNS RCODEs"); those above 15 need EDNS to be told.</summary>
internal enum ResponseCode
{
    /// <summary>Answered, perhaps with nothing: NODATA.</summary>
    NoError = 0,

    /// <summary>What came is no query.</summary>
    FormatError = 1,

    /// <summary>Not now: there is no key to mint with.</summary>
    ServerFailure = 2,

    /// <summary>The zone has no such name and nothing below it.</summary>
    NameError = 3,

    /// <summary>An operation that this server does not know.</summary>
    NotImplemented = 4,

    /// <summary>Not of a zone that is served here, or a zone transfer.</summary>
    Refused = 5,

    /// <summary>An EDNS version other than 0 (RFC 6891 §6.1.3).</summary>
    BadVersion = 16,
}
