using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// Frames as rows of text; Packets/README.txt has the words. Lengths, next headers and checksums follow from what is written, checksums
/// summed up in full by <see cref="FullChecksum"/>, which shares no code with the packet path.
/// </summary>
internal sealed class PacketText
{
    private readonly IReadOnlyDictionary<string, string> _names;

    /// <param name="names">Addresses by name.</param>
    public PacketText(IReadOnlyDictionary<string, string> names) => _names = names;

    /// <summary>A whole frame.</summary>
    /// <param name="text">Its layers, the Ethernet header left out.</param>
    /// <param name="destinationMac">The Ethernet header's, unless a layer <c>mac</c> says otherwise.</param>
    /// <param name="sourceMac">The same.</param>
    public byte[] Frame(string text, string destinationMac, string sourceMac)
    {
        var layers = Split(text);
        var frame = new List<byte>();
        var tags = new List<int>();
        var pad = 0;
        var cut = 0;
        var type = 0x86DD;
        var rest = new List<string[]>();
        foreach (var layer in layers)
        {
            switch (layer[0])
            {
                case "mac":
                    (destinationMac, sourceMac) = (layer[1], layer[2]);
                    break;
                case "vlan":
                    tags.AddRange(layer[1..].Select(Number));
                    break;
                case "type":
                    type = Number(layer[1]);
                    break;
                case "pad":
                    pad = Number(layer[1]);
                    break;
                case "cut":
                    cut = Number(layer[1]);
                    break;
                default:
                    rest.Add(layer);
                    break;
            }
        }
        frame.AddRange(Mac(destinationMac));
        frame.AddRange(Mac(sourceMac));
        for (var i = 0; i < tags.Count; i++)
            frame.AddRange([.. Big16(i + 1 < tags.Count ? 0x88A8 : 0x8100), .. Big16(tags[i])]);
        frame.AddRange(Big16(type));
        frame.AddRange(Packet(rest));
        frame.AddRange(Enumerable.Repeat((byte)0x5A, pad));
        return [.. frame.Take(frame.Count - cut)];
    }

    private byte[] Packet(List<string[]> layers)
    {
        var ip = layers[0];
        if (ip[0] != "ip" || ip[2] != ">")
            throw new FormatException($"a packet begins with: ip SOURCE > DESTINATION, not with {string.Join(' ', ip)}");
        var source = Address(ip[1]);
        var destination = Address(ip[3]);
        var body = Body(layers, 1, source, destination);
        var header = new byte[40];
        header[0] = (byte)(Option(ip, "version", 6) << 4);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)Option(ip, "length", body.Length));
        header[6] = NextHeaderOf(layers, 1);
        header[7] = (byte)Option(ip, "hop", 64);
        source.CopyTo(header, 8);
        destination.CopyTo(header, 24);
        return [.. header, .. body];
    }

    private byte[] Body(List<string[]> layers, int at, byte[] source, byte[] destination)
    {
        if (at == layers.Count)
            return [];
        var layer = layers[at];
        switch (layer[0])
        {
            case "hop-by-hop" or "destination" or "header":
            {
                var length = Option(layer, "units", 1) * 8;
                var header = new byte[length];
                header[0] = NextHeaderOf(layers, at + 1);
                header[1] = (byte)(length / 8 - 1);
                if (layer[0] != "header")
                    (header[2], header[3]) = (1, (byte)(length - 4)); // PadN
                return [.. header, .. Body(layers, at + 1, source, destination)];
            }
            case "routing":
                return [NextHeaderOf(layers, at + 1), 0, (byte)Number(layer[1]), (byte)Number(layer[2]), 0, 0, 0, 0, .. Body(layers, at + 1, source, destination)];
            case "authentication":
                return [NextHeaderOf(layers, at + 1), 4, 0, 0, .. Enumerable.Repeat((byte)7, 20), .. Body(layers, at + 1, source, destination)];
            case "fragment":
            {
                var next = layer.Contains("of") ? (byte)Option(layer, "of", 6) : NextHeaderOf(layers, at + 1);
                var position = Number(layer[2]) | (layer.Contains("more") ? 1 : 0);
                return [next, 0, .. Big16(position), .. Big32((uint)Number(layer[1])), .. Body(layers, at + 1, source, destination)];
            }
            case "tcp":
                return Tcp(layers, at, source, destination);
            case "icmp":
            {
                byte[] message = [(byte)Number(layer[1]), (byte)Number(layer[2]), 0, 0, .. Big32((uint)Option(layer, "mtu", 0)), .. Body(layers, at + 1, source, destination)];
                return Checked(layer, message, 2, source, destination, 58, []);
            }
            case "echo":
            {
                byte[] message = [(byte)(layer[1] == "request" ? 128 : 129), (byte)Option(layer, "code", 0), 0, 0, .. Big32(0x00070001), .. Body(layers, at + 1, source, destination)];
                return Checked(layer, message, 2, source, destination, 58, []);
            }
            case "solicit" or "advertise":
            {
                byte[] message = [(byte)(layer[0] == "solicit" ? 135 : 136), (byte)Option(layer, "code", 0), 0, 0, .. Big32((uint)Option(layer, "flags", 0) << 24), .. Address(layer[1]),
                    .. Body(layers, at + 1, source, destination)];
                return Checked(layer, message, 2, source, destination, 58, []);
            }
            case "option": // TYPE UNITS BYTES
                return [(byte)Number(layer[1]), (byte)Number(layer[2]), .. Mac(layer[3]), .. Body(layers, at + 1, source, destination)];
            case "quote":
            {
                var quoted = Packet(Split(string.Join(' ', layer[2..])));
                return layer[1] == "all" ? quoted : quoted[..Number(layer[1])];
            }
            case "data":
                return [.. Data(layer[1]), .. Body(layers, at + 1, source, destination)];
            case "protocol": // a transport that is not the path's
                return Body(layers, at + 1, source, destination);
            case "rest": // what of a TCP segment the later fragments carry
                return [];
            default:
                throw new FormatException($"no layer is called {layer[0]}");
        }
    }

    private byte[] Tcp(List<string[]> layers, int at, byte[] source, byte[] destination)
    {
        var layer = layers[at];
        var flags = layer[4].Sum(letter => letter switch { 'F' => 1, 'S' => 2, 'R' => 4, 'P' => 8, 'A' => 16, _ => 0 });
        var options = (int)Option(layer, "options", 0);
        byte[] segment =
        [
            .. Big16(Number(layer[1])), .. Big16(Number(layer[3])), .. Big32((uint)Option(layer, "seq", 1000)), .. Big32((uint)Option(layer, "ack", 0)),
            (byte)(5 + options << 4), (byte)flags, .. Big16((int)Option(layer, "window", 65535)), 0, 0, 0, 0, .. Enumerable.Repeat((byte)1, options * 4),
            .. Body(layers, at + 1, source, destination),
        ];
        var rest = layers.Find(other => other[0] == "rest");
        return Checked(layer, segment, 16, source, destination, 6, rest is null ? [] : Data(rest[1]));
    }

    private static byte[] Checked(string[] layer, byte[] message, int offset, byte[] source, byte[] destination, byte protocol, byte[] rest)
    {
        var sum = FullChecksum.Of(source, destination, protocol, [.. message, .. rest]);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(offset), (ushort)(!layer.Contains("wrong") ? sum : sum == 0xFFFF ? 1 : sum + 1)); // one more by the sum's own arithmetic stays one more when it is changed incrementally
        return message;
    }

    private static byte NextHeaderOf(List<string[]> layers, int at) => at == layers.Count ? (byte)59 : (byte)(layers[at][0] switch
    {
        "hop-by-hop" => 0,
        "tcp" => 6,
        "routing" => 43,
        "fragment" => 44,
        "authentication" => 51,
        "icmp" or "echo" or "solicit" or "advertise" => 58,
        "destination" => 60,
        "header" or "protocol" => (byte)Number(layers[at][1]),
        _ => 6, // data behind a fragment header
    });

    private byte[] Address(string name) => IPAddress.Parse(_names.GetValueOrDefault(name, name)).GetAddressBytes();

    /// <summary>Text as it is, or *N: N bytes, each another than the one before.</summary>
    private static byte[] Data(string text) =>
        text[0] == '*' ? [.. Enumerable.Range(0, Number(text[1..])).Select(i => (byte)(i * 7 + 1))] : Encoding.ASCII.GetBytes(text);

    private static List<string[]> Split(string text)
    {
        var layers = new List<string[]>();
        var depth = 0;
        var layer = new StringBuilder();
        foreach (var letter in text + "|")
        {
            if (letter == '|' && depth == 0)
            {
                layers.Add(layer.ToString().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
                layer.Clear();
                continue;
            }
            depth += letter == '[' ? 1 : letter == ']' ? -1 : 0;
            layer.Append((letter == '[' && depth == 1) || (letter == ']' && depth == 0) ? ' ' : letter);
        }
        return layers;
    }

    private static long Option(string[] layer, string name, long otherwise)
    {
        var at = Array.IndexOf(layer, name);
        return at < 0 ? otherwise : Number64(layer[at + 1]);
    }

    private static int Number(string text) => (int)Number64(text);

    private static long Number64(string text) => text.StartsWith("0x", StringComparison.Ordinal)
        ? long.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : long.Parse(text, CultureInfo.InvariantCulture);

    private static byte[] Big16(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Big32(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static byte[] Mac(string text) => Convert.FromHexString(text.Replace(":", "", StringComparison.Ordinal));
}
