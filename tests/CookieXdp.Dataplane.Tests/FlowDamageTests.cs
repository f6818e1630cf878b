using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>What the next engine makes of a file that is not what one before has left: never trusted, never the end of the engine.</summary>
public sealed unsafe class FlowDamageTests : IDisposable
{
    private const int Header = 4096;

    private readonly FlowFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>What is done to the bytes of a sound file, and what the log says of it.</summary>
    public static TheoryData<string, string> Damages => new()
    {
        { "empty", "it is no flow table" },
        { "one byte", "it is no flow table" },
        { "half a header", "it is no flow table" },
        { "zeroed", "it is no flow table" },
        { "header zeroed", "it is no flow table" },
        { "foreign magic", "it is no flow table" },
        { "another version", "its layout is version 2, and this program's is 1" },
        { "a bit of the secrets", "its header's checksum is wrong" },
        { "a bit of the checksum", "its header's checksum is wrong" },
        { "a bit of the capacity", "its header's checksum is wrong" },
        { "another entry length", "its entries have 128 bytes, and this program's have 192" },
        { "a greater capacity", "which do not fit the 9 flows" },
        { "a capacity of zero", "which do not fit the 0 flows" },
        { "a negative capacity", "which do not fit the -1 flows" },
        { "the greatest capacity", "which do not fit the 2147483647 flows" },
        { "a byte less", "which do not fit the 8 flows" },
        { "a byte more", "which do not fit the 8 flows" },
        { "another boot", "it was written before the machine was started anew" },
        { "from the future", "it was begun in the future: the machine's clock has gone back" },
        { "an unknown state", "entry 1 has no state 4" },
        { "a bit of the seal", "entry 1 does not bear the table's seal" },
        { "a bit of the client", "entry 1 does not bear the table's seal" },
        { "a bit of the cookie", "entry 1 does not bear the table's seal" },
        { "a bit of the backend", "entry 1 does not bear the table's seal" },
        { "a bit of the client's ports", "entry 1 does not bear the table's seal" },
        { "a bit of the backend's ports", "entry 1 does not bear the table's seal" },
        { "a bit of the checksum difference", "entry 1 does not bear the table's seal" },
        { "a client's mark", "entry 1 has marks that do not exist" },
        { "a backend's mark", "entry 1 has marks that do not exist" },
        { "a client seen in the future", "entry 1 was last seen in the future" },
        { "a backend seen in the future", "entry 1 was last seen in the future" },
        { "an entry twice", "entry 7 is there twice" },
        { "random entries", "entry 0 " },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void A_damaged_file_is_set_aside_and_named(string damage, string reason)
    {
        _folder.Leave();
        var damaged = Damage(File.ReadAllBytes(_folder.File), damage);
        File.WriteAllBytes(_folder.File, damaged);
        IsSetAside(reason);
        Assert.Equal(damaged, File.ReadAllBytes(_folder.SetAsideFile)); // nothing was changed in it
    }

    [Fact]
    public void More_flows_than_the_capacity_are_not_believed()
    {
        // Sound entries of the same secrets, of a table that has as many flows as one of 8 has entries, under a header that says 8.
        var entries = FlowMemory.EntriesOf(8);
        using (var large = _folder.TakeOver(entries).Table)
        {
            for (uint id = 0; id < entries; id++)
                FlowModel.Do(large, FlowOperation.Add, id, Side.Uplink, FlowFolder.Now);
        }
        var bytes = File.ReadAllBytes(_folder.File);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), 8);
        File.WriteAllBytes(_folder.File, Checked(bytes)[..(int)FlowFileHeader.FileLengthOf(8)]);
        IsSetAside("it holds more flows than its 8");
    }

    [Theory]
    [InlineData("symbolic link", "it is a symbolic link")]
    [InlineData("folder", "it cannot be opened: Is a directory")]
    [InlineData("fifo", "it is no regular file")]
    [InlineData("device", "it is no regular file")]
    [InlineData("readable by others", "others than its owner may read or change it (mode 604)")]
    [InlineData("writable by the group", "others than its owner may read or change it (mode 620)")]
    [InlineData("of somebody else", "it belongs to user 65534, not to 0")]
    [InlineData("two names", "it has 2 names")]
    public void What_is_no_file_of_this_user_alone_is_set_aside(string kind, string reason)
    {
        _folder.Leave();
        var other = _folder.File + ".other";
        switch (kind)
        {
            case "symbolic link":
                File.Move(_folder.File, other);
                File.CreateSymbolicLink(_folder.File, other);
                break;
            case "folder":
                File.Delete(_folder.File);
                Directory.CreateDirectory(_folder.File);
                break;
            case "fifo":
                File.Delete(_folder.File);
                Run("mkfifo", "-m", "600", _folder.File);
                break;
            case "device":
                File.Delete(_folder.File);
                Run("mknod", "-m", "600", _folder.File, "c", "1", "3");
                break;
            case "readable by others":
                File.SetUnixFileMode(_folder.File, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
                break;
            case "writable by the group":
                File.SetUnixFileMode(_folder.File, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupWrite);
                break;
            case "of somebody else":
                Run("chown", "65534", _folder.File);
                break;
            case "two names":
                Run("ln", _folder.File, other);
                break;
        }
        IsSetAside(reason);
        if (kind == "symbolic link")
            Assert.Equal(FlowFileHeader.FileLengthOf(8), new FileInfo(other).Length); // what it led to was not touched
    }

    [Fact]
    public void A_second_file_that_is_set_aside_takes_the_place_of_the_first()
    {
        for (var round = 0; round < 2; round++)
        {
            File.WriteAllText(_folder.File, "rubbish");
            File.SetUnixFileMode(_folder.File, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            IsSetAside("it is no flow table");
        }
        Assert.Equal(["flows", "flows.set-aside"], _folder.Names);
    }

    [Fact]
    public void A_file_that_an_engine_was_killed_over_while_it_made_it_is_no_hindrance()
    {
        File.WriteAllText(_folder.File + ".new", "half of one");
        using var table = _folder.TakeOver().Table;
        Assert.Equal(["flows"], _folder.Names);
    }

    [Fact]
    public void Bytes_of_any_kind_lead_to_flows_that_were_there_or_to_a_file_set_aside()
    {
        _folder.Leave(flows: 8);
        var sound = File.ReadAllBytes(_folder.File);
        var random = new Random(11);
        var aside = 0;
        const int rounds = 600;
        for (var round = 0; round < rounds; round++)
        {
            var bytes = (byte[])sound.Clone();
            // Mostly where something is: the header's fields and the first entries.
            for (var changes = random.Next(1, 6); changes > 0; changes--)
                bytes[random.Next(3) == 0 ? random.Next(128) : Header + random.Next(8 * Flow.Length)] = (byte)random.Next(256);
            if (random.Next(20) == 0)
                bytes = bytes[..random.Next(bytes.Length)];
            File.WriteAllBytes(_folder.File, bytes);
            var takeover = _folder.TakeOver();
            using var table = takeover.Table;
            aside += takeover.SetAside is null ? 0 : 1;
            for (uint id = 0; id < 8; id++)
            {
                var flow = table.FindByClient(FlowModel.ClientKey(id));
                Assert.True(flow == table.FindByBackend(FlowModel.BackendKey(id)));
            }
            for (uint id = 100; id < 108; id++)
                FlowModel.Do(table, FlowOperation.Add, id, Side.Uplink, FlowFolder.Now);
            table.Expire(FlowFolder.Now + 100_000, 1000);
            Assert.Equal(0, table.CountOf(FlowState.Established));
        }
        Assert.InRange(aside, rounds / 2, rounds - 1);
    }

    private void IsSetAside(string reason)
    {
        var takeover = _folder.TakeOver();
        using var table = takeover.Table;
        Assert.StartsWith($"set aside as {_folder.SetAsideFile}, because ", takeover.SetAside, StringComparison.Ordinal);
        Assert.Contains(reason, takeover.ToString(), StringComparison.Ordinal);
        Assert.True(takeover.IsRemarkable);
        // A new table, that works.
        Assert.Equal((0, 8, FlowFolder.Now), (table.Adopted, table.Capacity, table.Created));
        for (uint id = 0; id < 8; id++)
            Assert.Equal(DropReason.None, FlowModel.Do(table, FlowOperation.Add, id, Side.Uplink, FlowFolder.Now));
        Assert.Equal(8, table.CountOf(FlowState.HalfOpen));
    }

    private static byte[] Damage(byte[] file, string damage)
    {
        const int entry = Header + Flow.Length; // the second one
        switch (damage)
        {
            case "empty":
                return [];
            case "one byte":
                return file[..1];
            case "half a header":
                return file[..2048];
            case "a byte less":
                return file[..^1];
            case "a byte more":
                return [.. file, 0];
            case "zeroed":
                return new byte[file.Length];
            case "header zeroed":
                file.AsSpan(0, Header).Clear();
                return file;
            case "foreign magic":
                "keyring!"u8.CopyTo(file);
                return file;
            case "another version":
                file[8]++;
                return file;
            case "a bit of the secrets":
                file[60] ^= 1;
                return file;
            case "a bit of the checksum":
                file[96] ^= 1;
                return file;
            case "a bit of the capacity":
                file[16] ^= 1;
                return file;
            case "another entry length":
                file[12] = 128;
                return Checked(file);
            case "a greater capacity":
                file[16]++;
                return Checked(file);
            case "a capacity of zero":
                file[16] = 0;
                return Checked(file);
            case "a negative capacity":
                file.AsSpan(16, 4).Fill(0xFF);
                return Checked(file);
            case "the greatest capacity":
                BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(16), int.MaxValue);
                return Checked(file);
            case "another boot":
                file[24] ^= 1;
                return Checked(file);
            case "from the future":
                BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(40), FlowFolder.Now + 1);
                return Checked(file);
            case "an unknown state":
                file[entry + 60] = 4;
                return file;
            case "a client seen in the future":
                BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(entry + 64), FlowFolder.Now + 1);
                return file;
            case "a backend seen in the future":
                BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(entry + 128), uint.MaxValue);
                return file;
            case "an entry twice":
                file.AsSpan(entry, Flow.Length).CopyTo(file.AsSpan(Header + 7 * Flow.Length));
                return file;
            case "random entries":
                new Random(5).NextBytes(file.AsSpan(Header));
                file[Header + 60] = (byte)FlowState.Established;
                return file;
            default:
                file[entry + damage switch
                {
                    "a bit of the seal" => 62,
                    "a bit of the client" => 9,
                    "a bit of the cookie" => 25,
                    "a bit of the backend" => 39,
                    "a bit of the client's ports" => 50,
                    "a bit of the backend's ports" => 52,
                    "a bit of the checksum difference" => 57,
                    "a client's mark" => 64 + 6,
                    "a backend's mark" => 128 + 4,
                    _ => throw new ArgumentOutOfRangeException(nameof(damage), damage, "no such damage"),
                }] ^= 0x10;
                return file;
        }
    }

    /// <summary>The file with a header whose checksum is right, as somebody could write it who knows how.</summary>
    private static byte[] Checked(byte[] file)
    {
        SHA256.HashData(file.AsSpan(0, 96)).AsSpan(0, 16).CopyTo(file.AsSpan(96));
        return file;
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
