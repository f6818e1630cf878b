using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace CookieXdp.Cookies;

/// <summary>
/// Reads addresses as people write them on purpose. The platform's parser takes "192.0.2", "010.0.0.1" and "0x7f.1" for IPv4 addresses, as
/// inet_aton did; in a list or a configuration they are slips of the pen that would mean somebody else.
/// </summary>
public static class AddressText
{
    /// <summary>Reads an IPv4 address of four decimal parts without leading zeros, or an IPv6 address without zone and brackets.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? address)
    {
        Span<char> again = stackalloc char[16];
        if (!text.ContainsAny('%', '[', ']') && IPAddress.TryParse(text, out address)
            && (address.AddressFamily == AddressFamily.InterNetworkV6 || (address.TryFormat(again, out var length) && text.SequenceEqual(again[..length]))))
            return true;
        address = null;
        return false;
    }

    /// <summary>Reads <c>192.0.2.1:53</c>, <c>[2001:db8::1]:53</c>, or an address alone, whose port then is 0.</summary>
    public static bool TryParseEndPoint(string text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        ArgumentNullException.ThrowIfNull(text);
        endPoint = null;
        if (TryParse(text, out var alone))
        {
            endPoint = new IPEndPoint(alone, 0);
            return true;
        }
        var colon = text.LastIndexOf(':');
        if (colon <= 0)
            return false;
        var host = text.AsSpan(0, colon);
        var bracketed = host[0] == '[' && host[^1] == ']';
        if (!TryParse(bracketed ? host[1..^1] : host, out var address) || bracketed != (address.AddressFamily == AddressFamily.InterNetworkV6)
            || !ushort.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var port) || port == 0)
            return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }
}
