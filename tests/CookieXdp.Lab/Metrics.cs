using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace CookieXdp.Lab;

/// <summary>What a program's /metrics said at one moment, in the Prometheus text format 0.0.4.</summary>
public sealed class Metrics
{
    private readonly List<Sample> _samples;

    private Metrics(List<Sample> samples) => _samples = samples;

    /// <summary>All samples, in the order of the text.</summary>
    public IReadOnlyList<Sample> Samples => _samples;

    /// <summary>Fetches http://<paramref name="endpoint"/>/metrics from inside a namespace.</summary>
    /// <exception cref="LabException">No answer, or not a metrics text.</exception>
    public static async Task<Metrics> FetchAsync(Namespace from, IPEndPoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(from);
        using var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = from.OpenSocket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                try
                {
                    await socket.ConnectAsync(endpoint, cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        using var client = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5) };
        try
        {
            return Parse(await client.GetStringAsync(new Uri($"http://{endpoint}/metrics")));
        }
        catch (Exception error) when (error is HttpRequestException or TaskCanceledException)
        {
            throw new LabException($"http://{endpoint}/metrics, asked in {from.Name}: {error.Message}", error);
        }
    }

    /// <summary>Reads a metrics text.</summary>
    /// <exception cref="LabException">A line is not of the format.</exception>
    public static Metrics Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var read = new List<Sample>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            if (line[0] != '#')
                read.Add(ParseLine(line));
        return new(read);
    }

    /// <summary>Whether there is any sample of that name.</summary>
    public bool Has(string name) => _samples.Exists(sample => string.Equals(sample.Name, name, StringComparison.Ordinal));

    /// <summary>
    /// The sum over all samples of that name that have these labels (and perhaps others, such as a worker's). 0 where there are none:
    /// a counter appears with its first count.
    /// </summary>
    public double Sum(string name, params ReadOnlySpan<(string Label, string Value)> labels)
    {
        var sum = 0.0;
        foreach (var sample in _samples)
            if (string.Equals(sample.Name, name, StringComparison.Ordinal) && sample.Matches(labels))
                sum += sample.Value;
        return sum;
    }

    private static Sample ParseLine(string line)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        var at = line.IndexOfAny(['{', ' ']);
        if (at <= 0)
            throw Malformed(line);
        var name = line[..at];
        if (line[at] == '{')
            at = ParseLabels(line, at + 1, labels);
        var words = line[at..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length is < 1 or > 2 || !TryParseValue(words[0], out var value))
            throw Malformed(line);
        return new(name, labels, value);
    }

    private static int ParseLabels(string line, int at, Dictionary<string, string> labels)
    {
        while (at < line.Length && line[at] != '}')
        {
            var equals = line.IndexOf("=\"", at, StringComparison.Ordinal);
            if (equals < 0)
                throw Malformed(line);
            var value = new StringBuilder();
            var i = equals + 2;
            for (; i < line.Length && line[i] != '"'; i++)
            {
                if (line[i] == '\\' && i + 1 < line.Length)
                    value.Append(line[++i] == 'n' ? '\n' : line[i]);
                else
                    value.Append(line[i]);
            }

            labels[line[at..equals].Trim()] = value.ToString();
            at = i + 1;
            if (at < line.Length && line[at] == ',')
                at++;
        }

        return at < line.Length ? at + 1 : throw Malformed(line);
    }

    private static bool TryParseValue(string word, out double value)
    {
        value = word switch { "+Inf" => double.PositiveInfinity, "-Inf" => double.NegativeInfinity, "NaN" => double.NaN, _ => 0 };
        return value != 0 || double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    private static LabException Malformed(string line) => new($"not a line of the Prometheus text format: {line}");

    /// <summary>One line of the text.</summary>
    /// <param name="Name">The metric's name.</param>
    /// <param name="Labels">Its labels.</param>
    /// <param name="Value">Its value.</param>
    public sealed record Sample(string Name, IReadOnlyDictionary<string, string> Labels, double Value)
    {
        /// <summary>Whether it has these labels, perhaps among others.</summary>
        public bool Matches(params ReadOnlySpan<(string Label, string Value)> labels)
        {
            foreach (var (label, value) in labels)
                if (!Labels.TryGetValue(label, out var own) || !string.Equals(own, value, StringComparison.Ordinal))
                    return false;
            return true;
        }
    }
}
