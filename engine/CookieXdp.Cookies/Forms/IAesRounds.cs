using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// AES-128 encryption as one instruction set does it, round by round, so that an interleaved form can be written once. Processors
/// differ in where they add the round key: x86 (AESENC) behind a round, ARM (AESE) before it.
/// </summary>
internal unsafe interface IAesRounds
{
    /// <summary>Whether this processor has the instructions.</summary>
    static abstract bool IsSupported { get; }

    /// <summary>
    /// Which round key the first <see cref="Round"/> takes: 1 where a round adds its key behind it, and the first key must have been added
    /// before (it is folded into the constant that the block is added to anyway); 0 where a round begins with the key of the one before.
    /// </summary>
    static abstract int FirstKey { get; }

    /// <summary>One of the rounds 1–9, with its key: number round − 1 + <see cref="FirstKey"/>.</summary>
    static abstract Vector128<byte> Round(Vector128<byte> block, Vector128<byte> key);

    /// <summary>Round 10, which mixes no columns.</summary>
    static abstract Vector128<byte> LastRound(Vector128<byte> block, Vector128<byte>* roundKeys);
}
