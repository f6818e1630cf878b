using CsCheck;

namespace CookieXdp.Cookies.Tests;

/// <summary>The keyring as bytes and as a file, the master file, and the keeper that joins them.</summary>
public sealed class KeyringTests : IDisposable
{
    private const long Now = 1_700_000_000;

    private static readonly CookiePrefix[] _prefixes = [KnownAnswerTests.Prefix, CookiePrefix.Parse("2001:db8:26::/48")];

    private readonly string _folder = Directory.CreateTempSubdirectory("cookiexdp-keyring").FullName;
    private readonly List<string> _said = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_keyring_opens_what_its_master_mints()
    {
        var keyring = Keyring.Read(Keyring.Write([KnownAnswerTests.Master], _prefixes, 7, Now));
        Assert.Equal((7UL, Now), (keyring.Generation, keyring.Heartbeat));
        Span<byte> address = stackalloc byte[16];
        foreach (var prefix in _prefixes)
        {
            PrefixKeys.Derive(KnownAnswerTests.Master, prefix, Now).TryMint(ResolverNetwork.Unknown, Now, 3, verified: false, ecs: false, address);
            Assert.True(keyring.KeysOf(prefix)!.TryOpen(address, Now, out var cookie));
            Assert.Equal(3, cookie.Service);
        }
        Assert.Null(keyring.KeysOf(CookiePrefix.Parse("2001:db8:27::/48")));
    }

    [Fact]
    public void Keys_are_published_from_two_days_back_to_tomorrow()
    {
        var keys = Keyring.Read(Keyring.Write([KnownAnswerTests.Master], _prefixes, 1, Now)).KeysOf(_prefixes[0])!;
        Assert.Equal([false, true, true, true, true, false], Enumerable.Range(-3, 6).Select(day => keys.CanMint(Now + day * 86400L)));
    }

    [Fact]
    public void During_a_rotation_both_masters_open_and_only_the_active_one_mints()
    {
        using var other = MasterSecret.FromBytes([.. Enumerable.Repeat((byte)9, 32)]);
        var keys = Keyring.Read(Keyring.Write([KnownAnswerTests.Master, other], _prefixes, 1, Now)).KeysOf(_prefixes[0])!;
        Span<byte> address = stackalloc byte[16];
        foreach (var master in new[] { KnownAnswerTests.Master, other })
        {
            PrefixKeys.Derive(master, _prefixes[0], Now).TryMint(ResolverNetwork.Unknown, Now, 3, verified: false, ecs: false, address);
            Assert.True(keys.TryOpen(address, Now, out _));
        }
        keys.TryMint(ResolverNetwork.Unknown, Now, 3, verified: false, ecs: false, address);
        Assert.True(PrefixKeys.Derive(KnownAnswerTests.Master, _prefixes[0], Now).TryOpen(address, Now, out _));
    }

    [Fact]
    public void Every_changed_byte_and_every_missing_one_is_noticed()
    {
        var bytes = Keyring.Write([KnownAnswerTests.Master], _prefixes, 7, Now);
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] ^= 0x40;
            Assert.Throws<InvalidDataException>(() => Keyring.Read(bytes));
            bytes[i] ^= 0x40;
            var length = i;
            Assert.Throws<InvalidDataException>(() => Keyring.Read(bytes.AsSpan(0, length)));
        }
    }

    [Fact]
    public void Bytes_of_any_kind_are_refused_in_words() =>
        Gen.Byte.Array[0, 400].Sample(bytes => Assert.ThrowsAny<InvalidDataException>(() => Keyring.Read(bytes)), iter: 10_000);

    [Fact]
    public void A_keyring_with_one_key_twice_or_a_key_of_zeros_is_refused()
    {
        Assert.Contains("twice", Assert.Throws<InvalidDataException>(() => Keyring.Read(Keyring.Write([KnownAnswerTests.Master, KnownAnswerTests.Master], _prefixes, 1, Now))).Message, StringComparison.Ordinal);
        var bytes = Keyring.Write([KnownAnswerTests.Master], _prefixes, 1, Now);
        bytes.AsSpan(64 + 24, 16).Clear();
        System.Security.Cryptography.SHA256.HashData(bytes.AsSpan(0, bytes.Length - 32), bytes.AsSpan(bytes.Length - 32));
        Assert.Contains("zeros", Assert.Throws<InvalidDataException>(() => Keyring.Read(bytes)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_published_file_is_readable_by_owner_and_group_only_and_leaves_nothing_beside_it()
    {
        var path = Path.Combine(_folder, "keyring");
        KeyringFile.Publish(path, Keyring.Write([KnownAnswerTests.Master], _prefixes, 7, Now));
        KeyringFile.Publish(path, Keyring.Write([KnownAnswerTests.Master], _prefixes, 8, Now));
        Assert.Equal(KeyringFile.Mode, File.GetUnixFileMode(path));
        Assert.Equal([path], Directory.GetFiles(_folder));
        Assert.Equal(8UL, KeyringFile.Read(path).Generation);
    }

    [Fact]
    public void The_keeper_makes_a_master_for_its_owner_alone_and_keeps_one_that_is_there()
    {
        var keeper = Keeper();
        Assert.True(keeper.CreateMasterIfMissing());
        var first = File.ReadAllBytes(MasterPath);
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(MasterPath));
        Assert.Equal(32, first.Length);
        Assert.False(keeper.CreateMasterIfMissing());
        Assert.Equal(first, File.ReadAllBytes(MasterPath));
    }

    [Fact]
    public void The_generation_changes_with_the_keys_and_not_with_the_heartbeat()
    {
        var keeper = Keeper();
        keeper.CreateMasterIfMissing();
        Assert.True(keeper.Tick(Now));
        var first = KeyringFile.Read(KeyringPath);
        Assert.True(keeper.Tick(Now + 60));
        var later = KeyringFile.Read(KeyringPath);
        Assert.Equal((first.Generation, Now + 60), (later.Generation, later.Heartbeat));
        Assert.True(keeper.Tick(Now + 86400));
        Assert.True(KeyringFile.Read(KeyringPath).Generation > first.Generation);
    }

    [Fact]
    public void A_keeper_that_starts_anew_never_publishes_an_older_generation()
    {
        var first = Keeper();
        first.CreateMasterIfMissing();
        first.Tick(Now);
        KeyringFile.Publish(KeyringPath, Keyring.Write([KnownAnswerTests.Master], _prefixes, ulong.MaxValue / 2, Now));
        Assert.True(Keeper().Tick(Now));
        Assert.Equal(ulong.MaxValue / 2 + 1, KeyringFile.Read(KeyringPath).Generation);
    }

    [Fact]
    public void A_staged_master_opens_and_an_activated_one_mints()
    {
        var keeper = Keeper();
        keeper.CreateMasterIfMissing();
        keeper.Tick(Now);
        var before = new byte[16];
        KeyringFile.Read(KeyringPath).KeysOf(_prefixes[0])!.TryMint(ResolverNetwork.Unknown, Now, 1, verified: false, ecs: false, before);

        WriteMaster(MasterPath + KeyringKeeper.NextSuffix, 5);
        Assert.True(keeper.Tick(Now));
        var staged = new byte[16];
        using var next = MasterSecret.FromBytes([.. Enumerable.Repeat((byte)5, 32)]);
        PrefixKeys.Derive(next, _prefixes[0], Now).TryMint(ResolverNetwork.Unknown, Now, 1, verified: false, ecs: false, staged);
        Assert.True(KeyringFile.Read(KeyringPath).KeysOf(_prefixes[0])!.TryOpen(staged, Now, out _));

        File.Move(MasterPath, MasterPath + KeyringKeeper.PreviousSuffix);
        File.Move(MasterPath + KeyringKeeper.NextSuffix, MasterPath);
        Assert.True(keeper.Tick(Now));
        var keys = KeyringFile.Read(KeyringPath).KeysOf(_prefixes[0])!;
        var minted = new byte[16];
        keys.TryMint(ResolverNetwork.Unknown, Now, 1, verified: false, ecs: false, minted);
        Assert.Equal(staged, minted);
        Assert.True(keys.TryOpen(before, Now, out _));
    }

    [Fact]
    public void A_bad_master_leaves_the_keyring_as_it_was_and_is_named_once()
    {
        var keeper = Keeper();
        keeper.CreateMasterIfMissing();
        keeper.Tick(Now);
        var before = File.ReadAllBytes(KeyringPath);
        _said.Clear();
        File.SetUnixFileMode(MasterPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(MasterPath, "too short");
        Assert.False(keeper.Tick(Now + 60));
        Assert.False(keeper.Tick(Now + 61));
        Assert.Equal(before, File.ReadAllBytes(KeyringPath));
        Assert.Contains(MasterPath, Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public void A_master_that_others_may_read_is_refused()
    {
        var keeper = Keeper();
        keeper.CreateMasterIfMissing();
        File.SetUnixFileMode(MasterPath, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.False(keeper.Tick(Now));
        Assert.Contains("chmod 0400", Assert.Single(_said), StringComparison.Ordinal);
    }

    [Fact]
    public void A_watcher_sees_a_new_keyring_and_survives_a_damaged_one()
    {
        using var watcher = new KeyringWatcher(KeyringPath, Say);
        Assert.Null(watcher.Current);
        KeyringFile.Publish(KeyringPath, Keyring.Write([KnownAnswerTests.Master], _prefixes, 7, Now));
        Assert.True(SpinWait.SpinUntil(() => watcher.Current?.Generation == 7, 10_000));
        File.WriteAllText(KeyringPath, "damaged");
        Assert.True(SpinWait.SpinUntil(() => { lock (_said) return _said.Exists(line => line.Contains("no keyring", StringComparison.Ordinal)); }, 10_000));
        Assert.Equal(7UL, watcher.Current!.Generation);
        KeyringFile.Publish(KeyringPath, Keyring.Write([KnownAnswerTests.Master], _prefixes, 8, Now));
        Assert.True(SpinWait.SpinUntil(() => watcher.Current?.Generation == 8, 10_000));
    }

    [Theory]
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", true)]
    [InlineData("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\n", true)]
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\r\n", true)]
    [InlineData("0123456789abcdef0123456789abcdef", true)] // 32 bytes are raw, whatever they are
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1", false)]
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g", false)]
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n\n", false)]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", false)]
    [InlineData("", false)]
    public void A_master_file_is_32_bytes_or_64_hex_digits(string content, bool ok)
    {
        Assert.Equal(ok, MasterSecret.TryParse(System.Text.Encoding.ASCII.GetBytes(content), out var secret, out var error));
        secret?.Dispose();
        Assert.DoesNotContain("1d1e1", error ?? "", StringComparison.Ordinal);
    }

    private string MasterPath => Path.Combine(_folder, "master");

    private string KeyringPath => Path.Combine(_folder, "keyring");

    private KeyringKeeper Keeper() => new(MasterPath, KeyringPath, _prefixes, Say, Say);

    private void Say(string line)
    {
        lock (_said)
            _said.Add(line);
    }

    private static void WriteMaster(string path, byte value)
    {
        File.WriteAllBytes(path, [.. Enumerable.Repeat(value, 32)]);
        File.SetUnixFileMode(path, UnixFileMode.UserRead);
    }
}
