using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using CookieXdp.Cookies.Forms;
using CsCheck;
using Org.BouncyCastle.Crypto.Fpe;
using Org.BouncyCastle.Crypto.Parameters;
using AesNi = System.Runtime.Intrinsics.X86.Aes;

namespace CookieXdp.Cookies.Tests;

/// <summary>FF1 and AES against implementations that others wrote: Bouncy Castle's and the platform's; and every form against the scalar one.</summary>
public sealed unsafe class Ff1OracleTests
{
    private static readonly Gen<(byte[] Key, byte[] Tweak, ulong Left, ulong Right)> _inputs =
        Gen.Select(Gen.Byte.Array[16], Gen.Byte.Array[Ff1Key.TweakLength], Gen.ULong, Gen.ULong);

    /// <summary>What this processor can do, and the ARM form's shared code with its instructions emulated.</summary>
    private static IReadOnlyList<Ff1Form> Forms => EmulatedArmAes.IsSupported ? [.. Ff1Forms.All, new InterleavedForm<EmulatedArmAes>(), new ScalarForm<EmulatedArmAes>()] : Ff1Forms.All;

    [Theory]
    [InlineData(66)]
    [InlineData(78)]
    [InlineData(80)]
    public void The_scalar_form_agrees_with_Bouncy_Castle(int bits) => _inputs.Sample((key, tweak, left, right) =>
    {
        var ff1 = new Ff1Key(key, tweak, bits);
        var message = Vector128.Create(left, right) & Vector128.Create(ff1.HalfMask);
        var enciphered = One(Ff1Forms.Choose("scalar"), ff1, message, encrypt: true);

        var engine = new FpeFf1Engine();
        engine.Init(forEncryption: true, new FpeParameters(new KeyParameter(key), 2, tweak));
        var output = new byte[bits];
        engine.ProcessBlock(Symbols(message, bits), 0, bits, output, 0);
        Assert.Equal(output, Symbols(enciphered, bits));
        Assert.Equal(message, One(Ff1Forms.Choose("scalar"), ff1, enciphered, encrypt: false));
    }, iter: 2000);

    [Theory]
    [InlineData(78)]
    [InlineData(80)]
    public void Every_form_agrees_with_the_scalar_one_whatever_the_count_and_the_mix_of_keys(int bits) =>
        Gen.Select(Gen.Byte.Array[23 * 4], Gen.Int[1, 64], Gen.Int[0, int.MaxValue]).Sample((material, count, seed) =>
        {
            var keys = Enumerable.Range(0, 4).Select(i => new Ff1Key(material.AsSpan(i * 23, 16), material.AsSpan(i * 23 + 16, 7), bits)).ToArray();
            var random = new Random(seed);
            var messages = Enumerable.Range(0, count).Select(_ => Vector128.Create((ulong)random.NextInt64(), (ulong)random.NextInt64()) & Vector128.Create(keys[0].HalfMask)).ToArray();
            var choice = Enumerable.Range(0, count).Select(_ => random.Next(4)).ToArray();
            var expected = Many(Ff1Forms.Choose("scalar"), keys, choice, messages, encrypt: true);
            foreach (var form in Forms)
            {
                Assert.Equal(expected, Many(form, keys, choice, messages, encrypt: true));
                Assert.Equal(messages, Many(form, keys, choice, expected, encrypt: false));
            }
        }, iter: 300);

    [Fact]
    public void The_portable_AES_agrees_with_the_platforms() => Gen.Select(Gen.Byte.Array[16], Gen.Byte.Array[16]).Sample((key, block) =>
    {
        using var aes = Aes.Create();
        aes.Key = key;
        var mine = new byte[16];
        new Ff1Key(key, new byte[7], 78).Encrypt(Vector128.Create(block)).CopyTo(mine);
        Assert.Equal(aes.EncryptEcb(block, PaddingMode.None), mine);
    }, iter: 2000);

    [Fact]
    public void A_number_of_bits_that_does_not_fit_the_one_block_form_is_refused()
    {
        foreach (var bits in new[] { 64, 77, 82 })
            Assert.Throws<ArgumentOutOfRangeException>(() => new Ff1Key(new byte[16], new byte[7], bits));
    }

    /// <summary>Else the tests of a form that is gone would be gone with it.</summary>
    [Fact]
    public void The_forms_that_this_processor_can_do_are_there_to_be_tested()
    {
        var names = Ff1Forms.All.Select(form => form.Name).ToArray();
        if (RuntimeInformation.ProcessArchitecture == Architecture.Arm64)
        {
            Assert.True(ArmAes.IsSupported, "the processor, or its emulation, has no AES instructions");
            Assert.Equal(["interleaved", "scalar", "software"], names);
            Assert.IsType<InterleavedForm<ArmAes>>(Ff1Forms.All[0]);
            return;
        }
        // Loaded by its path: it throws, with the reason, where the library is not beside the tests.
        NativeLibrary.Free(NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, "libcookiexdp_vaes.so")));
        var flags = File.ReadLines("/proc/cpuinfo").First(line => line.StartsWith("flags", StringComparison.Ordinal)).Split(' ');
        Assert.Equal(flags.Contains("vaes") && flags.Contains("avx512f") && flags.Contains("avx512bw"), names.Contains("vaes"));
        Assert.Equal(flags.Contains("aes"), names.Contains("interleaved"));
    }

    [Fact]
    public void A_form_that_is_not_there_is_refused_with_the_names_of_those_that_are()
    {
        Assert.Contains("scalar", Assert.Throws<PlatformNotSupportedException>(() => Ff1Forms.Choose("quantum")).Message, StringComparison.Ordinal);
        Assert.Same(Ff1Forms.All[0], Ff1Forms.Choose(""));
    }

    private static Vector128<ulong> One(Ff1Form form, Ff1Key key, Vector128<ulong> message, bool encrypt) => Many(form, [key], [0], [message], encrypt)[0];

    private static Vector128<ulong>[] Many(Ff1Form form, Ff1Key[] keys, int[] choice, Vector128<ulong>[] messages, bool encrypt)
    {
        var halves = stackalloc Vector128<ulong>[Ff1Form.Places];
        var pointers = stackalloc Vector128<byte>*[Ff1Form.Keys];
        var order = stackalloc byte[Ff1Form.Order];
        var slots = stackalloc CookieBatch.Slot[PrefixKeys.EpochCount];
        var scratch = (byte*)NativeMemory.AlignedAlloc(Ff1Form.Scratch, Ff1Key.CacheLine);
        for (var i = 0; i < PrefixKeys.EpochCount; i++)
            slots[i].Key = keys[i % keys.Length].Pointer;
        var places = Enumerable.Range(0, messages.Length).ToArray();
        var count = messages.Length;
        if (choice.Distinct().Count() == 1)
        {
            form.Fill(pointers, count, slots[choice[0]].Key);
        }
        else
        {
            var counts = choice.Aggregate(0UL, (sum, key) => sum + (1UL << (16 * key)));
            count = form.Arrange(counts, count, slots, order, pointers, scratch);
            var next = new int[PrefixKeys.EpochCount];
            places = [.. choice.Select(key => (int)order[key * Ff1Form.OrderStride + next[key]++])];
            Assert.Equal(places.Length, places.Distinct().Count());
            Assert.All(places, place => Assert.InRange(place, 0, count - 1));
        }
        for (var i = 0; i < messages.Length; i++)
            halves[places[i]] = messages[i];
        if (encrypt)
            form.Encrypt(halves, pointers, count, keys[0].HalfMask);
        else
            form.Decrypt(halves, pointers, count, keys[0].HalfMask);
        GC.KeepAlive(keys);
        NativeMemory.AlignedFree(scratch);
        return [.. places.Select(place => halves[place])];
    }

    private static byte[] Symbols(Vector128<ulong> message, int bits)
    {
        var half = bits / 2;
        var symbols = new byte[bits];
        for (var i = 0; i < half; i++)
        {
            symbols[half - 1 - i] = (byte)(message[0] >> i & 1);
            symbols[bits - 1 - i] = (byte)(message[1] >> i & 1);
        }
        return symbols;
    }

    /// <summary>AESE and AESMC as the ARM manual defines them, out of x86's: so the form's own code for ARM runs here, if not its instructions.</summary>
    private readonly struct EmulatedArmAes : IAesRounds
    {
        public static bool IsSupported => AesNi.IsSupported;

        public static int FirstKey => ArmAes.FirstKey;

        public static Vector128<byte> Round(Vector128<byte> block, Vector128<byte> key) => MixColumns(EncryptStep(block, key));

        public static Vector128<byte> LastRound(Vector128<byte> block, Vector128<byte>* roundKeys) => EncryptStep(block, roundKeys[9]) ^ roundKeys[10];

        private static Vector128<byte> EncryptStep(Vector128<byte> block, Vector128<byte> key) => AesNi.EncryptLast(block ^ key, Vector128<byte>.Zero);

        // AESDECLAST undoes substitution and rows, which AESENC does again before it mixes.
        private static Vector128<byte> MixColumns(Vector128<byte> block) => AesNi.Encrypt(AesNi.DecryptLast(block, Vector128<byte>.Zero), Vector128<byte>.Zero);
    }
}
