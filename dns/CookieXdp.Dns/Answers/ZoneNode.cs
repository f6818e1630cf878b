namespace CookieXdp.Dns.Answers;

/// <summary>What is answered at one name of a zone. A name with nothing of its own (an empty non-terminal) is a node without answers.</summary>
internal sealed class ZoneNode
{
    private readonly ushort[] _types;
    private readonly CompiledAnswer[] _answers;

    /// <summary>With an answer for each type that the name owns.</summary>
    internal ZoneNode(IReadOnlyList<(ushort Type, CompiledAnswer Answer)> answers, CompiledAnswer? any, CompiledAnswer? referral)
    {
        _types = [.. answers.Select(each => each.Type)];
        _answers = [.. answers.Select(each => each.Answer)];
        Any = any;
        Referral = referral;
    }

    /// <summary>
    /// The answer to ANY: one RRset of the name (RFC 8482 §4.1), the same one always. A static one where there is one, and of these
    /// the smallest: so ANY amplifies nothing, and what answers it is what answers its own type.
    /// </summary>
    internal CompiledAnswer? Any { get; }

    /// <summary>The referral for this name and all below it, where the zone delegates here or above.</summary>
    internal CompiledAnswer? Referral { get; }

    /// <summary>Bytes of the longest <see cref="CompiledAnswer.Body"/> here.</summary>
    internal int LongestAnswer => _answers.Append(Referral).Max(answer => answer?.Body.Length ?? 0);

    /// <summary>The answer for a type, or null where the name does not own it.</summary>
    internal CompiledAnswer? Find(ushort type)
    {
        var index = _types.AsSpan().IndexOf(type);
        return index < 0 ? null : _answers[index];
    }
}
