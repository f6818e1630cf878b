using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using CsCheck;
using Org.BouncyCastle.Crypto.Fpe;
using Org.BouncyCastle.Crypto.Parameters;

namespace CookieXdp.Cookies.Tests;

/// <summary>FF1 and AES against implementations that others wrote: Bouncy Castle's and the platform's.</summary>
public sealed class Ff1OracleTests
{
    private static readonly Gen<(byte[] Key, byte[] Tweak, ulong Left, ulong Right)> _inputs =
        Gen.Select(Gen.Byte.Array[16], Gen.Byte.Array[Ff1.TweakLength], Gen.ULong, Gen.ULong);

    [Theory]
    [InlineData(66)]
    [InlineData(78)]
    [InlineData(80)]
    public void Encrypting_agrees_with_Bouncy_Castle(int bits) => _inputs.Sample((key, tweak, left, right) =>
    {
        var mask = (1UL << (bits / 2)) - 1;
        var (a, b) = (left & mask, right & mask);
        new Ff1(key, tweak, bits).Encrypt(ref a, ref b);

        var engine = new FpeFf1Engine();
        engine.Init(forEncryption: true, new FpeParameters(new KeyParameter(key), 2, tweak));
        var symbols = Symbols(left, right, bits);
        var output = new byte[bits];
        engine.ProcessBlock(symbols, 0, bits, output, 0);
        Assert.Equal(output, Symbols(a, b, bits));
    }, iter: 2000);

    [Theory]
    [InlineData(78)]
    [InlineData(80)]
    public void Decrypting_undoes_encrypting(int bits) => _inputs.Sample((key, tweak, left, right) =>
    {
        var mask = (1UL << (bits / 2)) - 1;
        var (a, b) = (left & mask, right & mask);
        var ff1 = new Ff1(key, tweak, bits);
        ff1.Encrypt(ref a, ref b);
        ff1.Decrypt(ref a, ref b);
        Assert.Equal((left & mask, right & mask), (a, b));
    }, iter: 2000);

    [Fact]
    public void Aes_agrees_with_the_platform() => Gen.Select(Gen.Byte.Array[16], Gen.Byte.Array[16]).Sample((key, block) =>
    {
        using var aes = Aes.Create();
        aes.Key = key;
        var mine = new byte[16];
        new Aes128(key).Encrypt(Vector128.Create(block)).CopyTo(mine);
        Assert.Equal(aes.EncryptEcb(block, PaddingMode.None), mine);
    }, iter: 2000);

    [Fact]
    public void A_number_of_bits_that_does_not_fit_the_one_block_form_is_refused()
    {
        foreach (var bits in new[] { 64, 77, 82 })
            Assert.Throws<ArgumentOutOfRangeException>(() => new Ff1(new byte[16], new byte[7], bits));
    }

    private static byte[] Symbols(ulong left, ulong right, int bits)
    {
        var half = bits / 2;
        var symbols = new byte[bits];
        for (var i = 0; i < half; i++)
        {
            symbols[half - 1 - i] = (byte)(left >> i & 1);
            symbols[bits - 1 - i] = (byte)(right >> i & 1);
        }
        return symbols;
    }
}
