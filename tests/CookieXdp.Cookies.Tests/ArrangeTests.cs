using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies.Tests;

/// <summary>How forms find places for messages of several epochs: every way in which up to 64 messages can fall on four epochs.</summary>
public sealed unsafe class ArrangeTests
{
    private const byte Poison = 0xEE;

    // All forms but vaes have their places from KeyCells.
    public static TheoryData<string> Forms => [.. Ff1Forms.All.Select(form => form.Name).Where(name => name is "vaes" or "software")];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Every_message_has_a_place_of_its_own_and_every_place_a_key(string name)
    {
        var form = Ff1Forms.Choose(name);
        var keys = Enumerable.Range(0, PrefixKeys.EpochCount).Select(i => new Ff1Key([.. Enumerable.Repeat((byte)i, 16)], new byte[Ff1Key.TweakLength], 78)).ToArray();
        var slots = stackalloc CookieBatch.Slot[PrefixKeys.EpochCount];
        for (var i = 0; i < keys.Length; i++)
            slots[i].Key = keys[i].Pointer;
        var order = stackalloc byte[Ff1Form.Order];
        var pointers = stackalloc Vector128<byte>*[Ff1Form.Keys];
        var scratch = (byte*)NativeMemory.AlignedAlloc(Ff1Form.Scratch, Ff1Key.CacheLine);
        for (var a = 0; a <= Ff1Form.MaxMessages; a++)
        {
            for (var b = 0; a + b <= Ff1Form.MaxMessages; b++)
            {
                for (var c = 0; a + b + c <= Ff1Form.MaxMessages; c++)
                {
                    for (var d = 0; a + b + c + d <= Ff1Form.MaxMessages; d++)
                    {
                        int[] counts = [a, b, c, d];
                        if (counts.Count(count => count > 0) < 2)
                            continue;
                        new Span<byte>(pointers, Ff1Form.Keys * sizeof(nint)).Fill(Poison);
                        new Span<byte>(order, Ff1Form.Order).Fill(Poison);
                        var room = form.Arrange((ulong)(uint)a | (ulong)(uint)b << 16 | (ulong)(uint)c << 32 | (ulong)(uint)d << 48, a + b + c + d, slots, order, pointers, scratch);
                        Check(name, counts, room, order, pointers, keys);
                    }
                }
            }
        }
        NativeMemory.AlignedFree(scratch);
        GC.KeepAlive(keys);
    }

    private static void Check(string name, int[] counts, int room, byte* order, Vector128<byte>** pointers, Ff1Key[] keys)
    {
        UInt128 taken = 0;
        for (var epoch = 0; epoch < counts.Length; epoch++)
        {
            for (var i = 0; i < counts[epoch]; i++)
            {
                var place = order[epoch * Ff1Form.OrderStride + i];
                if (place >= room || (taken >> place & 1) != 0 || KeyAt(name, place, pointers) != keys[epoch].Pointer[0])
                    Assert.Fail($"{string.Join(", ", counts)}: message {i} of epoch {epoch} at place {place} of {room}");
                taken |= UInt128.One << place;
            }
        }
        // Those that stay empty are enciphered along: a pointer that nobody has set would be followed. KeyAt sees that none is left as it was.
        for (var place = 0; place < room; place++)
            KeyAt(name, place, pointers);
        Assert.InRange(room, 1, Ff1Form.Places);
    }

    /// <summary>The first round key that a place's message gets.</summary>
    private static Vector128<byte> KeyAt(string name, int place, Vector128<byte>** pointers)
    {
        var key = name == "vaes" ? pointers[place / 4] : pointers[KeyCells.KeyOf(place)];
        if ((byte)((nint)key & 0xFF) == Poison && (byte)((nint)key >> 8 & 0xFF) == Poison)
            Assert.Fail($"place {place} has no key");
        return name == "vaes" ? key[place % 4] : key[0];
    }
}
