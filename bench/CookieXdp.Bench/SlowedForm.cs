using System.Runtime.Intrinsics;
using CookieXdp.Cookies;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Bench;

/// <summary>A form made slower by doing a share of its work twice: so that the gate can be seen to notice. Small batches become slower than that.</summary>
internal sealed unsafe class SlowedForm(Ff1Form inner, int percent) : Ff1Form
{
    private int _debt;

    internal override string Name => $"{inner.Name}, slower by {percent} %";

    internal override void Fill(Vector128<byte>** keys, int count, Vector128<byte>* key) => inner.Fill(keys, count, key);

    internal override int Arrange(ulong counts, int count, CookieBatch.Slot* slots, byte* order, Vector128<byte>** keys, byte* scratch) =>
        inner.Arrange(counts, count, slots, order, keys, scratch);

    internal override void Encrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        for (_debt += percent; _debt >= 100; _debt -= 100)
            Waste(halves, keys, count, halfMask);
        inner.Encrypt(halves, keys, count, halfMask);
    }

    internal override void Decrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        for (_debt += percent; _debt >= 100; _debt -= 100)
            Waste(halves, keys, count, halfMask);
        inner.Decrypt(halves, keys, count, halfMask);
    }

    private void Waste(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        var copy = stackalloc Vector128<ulong>[Places];
        new Span<Vector128<ulong>>(halves, Places).CopyTo(new Span<Vector128<ulong>>(copy, Places));
        inner.Encrypt(copy, keys, count, halfMask);
    }
}
