using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net.Sockets;
using CookieXdp.Cookies;
using CookieXdp.Dns.Answers;

namespace CookieXdp.Dns.Serving;

/// <summary>How long a TCP client may take.</summary>
/// <param name="Idle">Until its next whole query has come: bytes that trickle in do not count.</param>
/// <param name="Write">Until it has taken the answers.</param>
internal readonly record struct TcpTimeouts(TimeSpan Idle, TimeSpan Write)
{
    /// <summary>RFC 7766 §6.2.3: seconds.</summary>
    internal static TcpTimeouts Default { get; } = new(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(5));
}

/// <summary>
/// One client's TCP connection (RFC 7766): each message behind two bytes of its length; queries may come in any number at once, and
/// their answers go out together.
/// </summary>
internal sealed class TcpSession(Socket socket, ResolverNetwork resolver, QueryResponder responder, QueryCounters counters, TimeProvider time, TcpTimeouts timeouts)
{
    // No query is longer, however much its options are padded (RFC 8467: 128 bytes blocks); what is would only be kept for nothing.
    internal const int MaxQueryLength = 4096;

    // So much is gathered before it is sent: a client that asks much and reads little holds no more than this.
    private const int FlushLength = 32 * 1024;

    private readonly byte[] _query = new byte[MaxQueryLength];

    /// <summary>Serves the client until it closes, takes too long or sends what is no query.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        var stream = new NetworkStream(socket, ownsSocket: false);
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: MaxQueryLength, leaveOpen: true));
        var writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stop);
        try
        {
            deadline.CancelAfter(timeouts.Idle);
            var goesOn = true;
            while (goesOn)
            {
                var read = await reader.ReadAsync(deadline.Token).ConfigureAwait(false);
                var rest = read.Buffer;
                goesOn = !read.IsCompleted;
                while (true)
                {
                    var isRight = AnswerSome(ref rest, writer);
                    if (writer.UnflushedBytes == 0)
                    {
                        goesOn &= isRight;
                        break;
                    }
                    deadline.CancelAfter(timeouts.Write);
                    await writer.FlushAsync(deadline.Token).ConfigureAwait(false);
                    deadline.CancelAfter(timeouts.Idle);
                    if (!isRight)
                    {
                        goesOn = false;
                        break;
                    }
                }
                reader.AdvanceTo(rest.Start, read.Buffer.End);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The client is gone or too slow, or the server stops: nobody is left to be told.
        }
        finally
        {
            // Completing a writer flushes it, with no time limit, to a client that may not read: with an exception it does not.
            await writer.CompleteAsync(new OperationCanceledException()).ConfigureAwait(false);
            await reader.CompleteAsync().ConfigureAwait(false);
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Answers whole queries until none is left or enough is gathered to be sent.</summary>
    /// <returns>False where the client sends what is no query: the connection ends.</returns>
    private bool AnswerSome(ref ReadOnlySequence<byte> rest, PipeWriter writer)
    {
        Span<byte> prefix = stackalloc byte[2];
        while (rest.Length >= prefix.Length && writer.UnflushedBytes < FlushLength)
        {
            rest.Slice(0, prefix.Length).CopyTo(prefix);
            int length = BinaryPrimitives.ReadUInt16BigEndian(prefix);
            if (length > MaxQueryLength)
            {
                counters.CountDrop(DropReason.TooLong);
                return false;
            }
            if (rest.Length < prefix.Length + length)
                return true;
            var query = rest.Slice(prefix.Length, length);
            rest = rest.Slice(query.End);
            query.CopyTo(_query);
            var context = new QueryContext(resolver, Transport.Tcp, time.GetUtcNow().ToUnixTimeSeconds(), counters);
            // What is written is small; what is asked for leaves room for the greatest answer that the zones have.
            var space = writer.GetSpan(prefix.Length + responder.Zones.LongestResponse);
            var written = responder.Answer(_query.AsSpan(0, length), context, space[prefix.Length..]);
            if (written == 0)
                return false;
            BinaryPrimitives.WriteUInt16BigEndian(space, (ushort)written);
            writer.Advance(prefix.Length + written);
        }
        return true;
    }
}
