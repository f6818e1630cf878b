using System.Net;
using System.Text;
using CsCheck;

namespace CookieXdp.Dataplane.Tests;

/// <summary>Lists of prefixes: what they take, what they find, and what they say of a bad line.</summary>
public sealed class PrefixListTests
{
    [Theory]
    [InlineData("192.0.2.0/24", "192.0.2.255", true)]
    [InlineData("192.0.2.0/24", "192.0.3.0", false)]
    [InlineData("192.0.2.7", "192.0.2.7", true)]
    [InlineData("192.0.2.7", "192.0.2.8", false)]
    [InlineData("2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("2001:db8::/32", "2001:db9::", false)]
    [InlineData("::/0", "2001:db9::", true)]
    [InlineData("0.0.0.0/0", "203.0.113.9", true)]
    [InlineData("0.0.0.0/0", "2001:db9::", false)]
    [InlineData("192.0.2.0/24 ; SBL1234", "192.0.2.1", true)] // Spamhaus DROP
    [InlineData("# only a comment\n\n  192.0.2.0/25\t# and one behind\r\n", "192.0.2.1", true)]
    [InlineData("\uFEFF192.0.2.0/25", "192.0.2.1", true)] // saved with a byte order mark
    [InlineData("", "192.0.2.1", false)]
    public void A_list_contains_what_its_lines_say(string text, string address, bool expected) =>
        Assert.Equal(expected, Parse(text).Contains(Number(address)));

    [Theory]
    [InlineData("192.0.2.0/33")]
    [InlineData("192.0.2.1/24")] // host bits set: a slip of the pen that would ban more than was meant
    [InlineData("2001:db8::1/64")]
    [InlineData("10.1")]
    [InlineData("010.0.0.0/8")]
    [InlineData("0x0a.0.0.0/8")]
    [InlineData("fe80::1%eth0")]
    [InlineData("1")]
    [InlineData("192.0.2.0/")]
    [InlineData("192.0.2.0/24x")]
    [InlineData("192.0.2.0/-1")]
    [InlineData("example.com")]
    [InlineData("\0\0\0")]
    public void A_line_that_is_no_prefix_is_named_with_its_number(string line)
    {
        var error = Assert.Throws<InvalidDataException>(() => Parse($"192.0.2.0/24\n{line}\n"));
        Assert.StartsWith("list:2: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Entries_finer_than_can_be_told_are_left_out_and_counted()
    {
        var list = PrefixList.Parse("list", "192.0.2.1/32\n192.0.2.0/24\n2001:db8::/44\n2001:db8:f000::/48"u8, 24, 44, out var tooFine);
        Assert.Equal((2, 2), (list.Entries, tooFine));
        Assert.False(list.Contains(Number("2001:db8:f000::1")));
    }

    [Fact]
    public void It_finds_what_a_look_at_every_prefix_finds()
    {
        var prefix = Gen.Select(Gen.UInt, Gen.Int[0, 32]).Select((bits, length) => (Bits: length == 0 ? 0 : bits & uint.MaxValue << (32 - length), Length: length));
        Gen.Select(prefix.Array[0, 30], Gen.UInt.Array[1, 50]).Sample((prefixes, addresses) =>
        {
            var list = Parse(string.Join('\n', prefixes.Select(p => $"{new IPAddress(BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(p.Bits) : p.Bits)}/{p.Length}")));
            foreach (var address in addresses.Concat(prefixes.Select(p => p.Bits)).Concat(prefixes.Select(p => p.Bits - 1)))
            {
                var expected = prefixes.Any(p => p.Length == 0 || (address ^ p.Bits) >> (32 - p.Length) == 0);
                Assert.Equal(expected, list.Contains(PrefixList.FromIpv4(address)));
            }
        }, iter: 20_000);
    }

    [Fact]
    public void Bytes_of_any_kind_are_a_list_or_an_error_in_words() => Gen.Byte.Array[0, 200].Sample(bytes =>
    {
        try
        {
            PrefixList.Parse("list", bytes, 32, 128, out _);
        }
        catch (InvalidDataException e)
        {
            Assert.StartsWith("list:", e.Message, StringComparison.Ordinal);
        }
    }, iter: 20_000);

    private static PrefixList Parse(string text) => PrefixList.Parse("list", Encoding.UTF8.GetBytes(text), 32, 128, out _);

    private static UInt128 Number(string address)
    {
        var parsed = IPAddress.Parse(address);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(parsed.MapToIPv6().GetAddressBytes());
    }
}
