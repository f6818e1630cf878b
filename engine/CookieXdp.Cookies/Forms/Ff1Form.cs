using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>
/// A way to do FF1 (NIST SP 800-38G, algorithms 7 and 8) over bits on many messages under several keys. A message is two
/// halves, the more significant one in element 0, and is changed in place: even rounds change element 0 by the other, odd rounds
/// element 1, so that after ten rounds each is where it belongs. Which key a message has depends on its place, in a way that each form chooses:
/// <see cref="Fill"/> and <see cref="Arrange"/> prepare it.
/// </summary>
/// <remarks>
/// The time that a form takes, and the memory that it touches, depend on no key and no message, neither before nor after: there are no tables but those
/// of shuffles, and AES is the processor's own or, in software, a circuit of gates. They do depend on how many messages of which epoch there are; that stands in clear
/// in every address. The same holds for what packs and unpacks batches (<see cref="CookiePacking"/>). The
/// way of a single cookie (<see cref="CookieBits"/>) has no branch in its source, but conditionals of which the compiler may make one. What comes after, whether a cookie
/// is genuine and what policy makes of it, need not hide: that is told to the caller by an answer, or by none.
/// </remarks>
internal abstract unsafe class Ff1Form
{
    /// <summary>Up to so many messages are quicker one after the other.</summary>
    private protected const int FewestForLanes = 2;

    /// <summary>How a test, a benchmark or the environment names it.</summary>
    internal abstract string Name { get; }

    /// <summary>Messages that <see cref="Arrange"/> finds places for.</summary>
    internal const int MaxMessages = 64;

    /// <summary>Room for messages, those included that a form does along: sixty-six of six blocks of eleven, and what eight or sixteen at a time reach beyond.</summary>
    internal const int Places = 88;

    /// <summary>Room for keys: thirty-two pairs' and as many more that are written too much, six single ones', and one that nobody reads.</summary>
    internal const int Keys = 80;

    /// <summary>Room for the order that <see cref="Arrange"/> makes: each epoch's places from a multiple of <see cref="OrderStride"/> on.</summary>
    internal const int Order = PrefixKeys.EpochCount * OrderStride;

    /// <summary>From one epoch's places to the next one's.</summary>
    internal const int OrderStride = MaxMessages;

    /// <summary>Bytes that a form may want for keys that it makes, on a cache line's boundary.</summary>
    internal const int Scratch = (PrefixKeys.EpochCount - 1) * Ff1Key.WideLength;

    /// <summary>Gives all messages one key.</summary>
    /// <param name="keys">Receives the keys as this form wants them; with room for <see cref="Keys"/>.</param>
    /// <param name="count">How many messages, from 1 to <see cref="MaxMessages"/>.</param>
    /// <param name="key">The key.</param>
    internal virtual void Fill(Vector128<byte>** keys, int count, Vector128<byte>* key) => KeyCells.Fill(keys, count, key);

    /// <summary>Finds places for messages of several epochs.</summary>
    /// <param name="counts">How many messages each epoch has, in 16 bits each; <see cref="MaxMessages"/> in all.</param>
    /// <param name="count">How many all have.</param>
    /// <param name="slots">The epochs' keys.</param>
    /// <param name="order">Receives, for each epoch, its messages' places; with room for <see cref="Order"/>.</param>
    /// <param name="keys">Receives the keys; with room for <see cref="Keys"/>.</param>
    /// <param name="scratch"><see cref="Scratch"/> bytes that keys may point into.</param>
    /// <returns>How many places there are, those included that stay empty.</returns>
    internal virtual int Arrange(ulong counts, int count, CookieBatch.Slot* slots, byte* order, Vector128<byte>** keys, byte* scratch) =>
        KeyCells.Arrange(counts, count, slots, order, keys);

    /// <summary>Enciphers.</summary>
    /// <param name="halves">The messages, with room for <see cref="Places"/>; those behind <paramref name="count"/> may be overwritten.</param>
    /// <param name="keys">The keys, from <see cref="Fill"/> or <see cref="Arrange"/>.</param>
    /// <param name="count">How many messages, from 1, or what <see cref="Arrange"/> returned.</param>
    /// <param name="halfMask">Ones where a half has bits; one for all, since all have one length.</param>
    internal abstract void Encrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask);

    /// <summary>Deciphers; as <see cref="Encrypt"/>.</summary>
    /// <inheritdoc cref="Encrypt"/>
    internal abstract void Decrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask);
}
