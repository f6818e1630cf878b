using System.Buffers.Binary;
using CookieXdp.Dns.Zones;

namespace CookieXdp.Dns.Answers;

/// <summary>
/// All that follows the question in an answer, made at load. It was compiled for a question whose name is <see cref="SuffixLength"/>
/// long; where the name asked for is longer (it stands below: NXDOMAIN, a referral), all compression pointers move by the difference.
/// </summary>
internal sealed class CompiledAnswer
{
    /// <summary>The records in wire format.</summary>
    internal required byte[] Body { get; init; }

    /// <summary>Where in <see cref="Body"/> compression pointers stand.</summary>
    internal required ushort[] Pointers { get; init; }

    /// <summary>Bytes of the name that the pointers were made for.</summary>
    internal required int SuffixLength { get; init; }

    /// <summary>Records of each section.</summary>
    internal required ushort AnswerCount { get; init; }

    /// <inheritdoc cref="AnswerCount"/>
    internal required ushort AuthorityCount { get; init; }

    /// <inheritdoc cref="AnswerCount"/>
    internal required ushort AdditionalCount { get; init; }

    /// <summary>Where in <see cref="Body"/> the additional section begins: all of it is left out where it does not fit.</summary>
    internal required int AdditionalAt { get; init; }

    /// <summary>Whether the additional section is needed to go on (glue, RFC 9471): leaving it out is truncation then.</summary>
    internal required bool NeedsAdditional { get; init; }

    /// <summary>AA: false for a referral.</summary>
    internal required bool IsAuthoritative { get; init; }

    /// <summary>The service whose address is minted into the answer; null for one that holds for everybody.</summary>
    internal required MintedService? Minted { get; init; }

    /// <summary>Where in <see cref="Body"/> the 16 bytes to mint stand.</summary>
    internal required int AddressAt { get; init; }

    /// <summary>Copies the first <paramref name="length"/> bytes of <see cref="Body"/>, pointers moved.</summary>
    /// <param name="destination">Where the records begin.</param>
    /// <param name="length">All of them, or <see cref="AdditionalAt"/>.</param>
    /// <param name="nameLength">Bytes of the name asked for.</param>
    internal void CopyTo(Span<byte> destination, int length, int nameLength)
    {
        Body.AsSpan(0, length).CopyTo(destination);
        var shift = nameLength - SuffixLength;
        if (shift == 0)
            return;
        foreach (var at in Pointers)
        {
            if (at >= length)
                break;
            var pointer = destination[at..];
            BinaryPrimitives.WriteUInt16BigEndian(pointer, (ushort)(BinaryPrimitives.ReadUInt16BigEndian(pointer) + shift));
        }
    }
}
