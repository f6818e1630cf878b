using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>Eight messages at once without AES instructions: for processors that lack them, and independent of them in tests.</summary>
internal sealed unsafe class SoftwareForm : Ff1Form
{
    private const int Lanes = SoftwareAes.Blocks;

    internal override string Name => "software";

    internal override void Encrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        for (var first = 0; first < count; first += Lanes)
            Eight(halves, keys, first, count, halfMask, decrypt: false);
    }

    internal override void Decrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        for (var first = 0; first < count; first += Lanes)
            Eight(halves, keys, first, count, halfMask, decrypt: true);
    }

    [SkipLocalsInit]
    private static void Eight(Vector128<ulong>* halves, Vector128<byte>** keys, int first, int count, ulong halfMask, bool decrypt)
    {
        var planes = stackalloc Vector128<byte>[Ff1Key.RoundKeys * SoftwareAes.Blocks];
        var blocks = stackalloc Vector128<byte>[SoftwareAes.Blocks];
        var laneKeys = stackalloc Vector128<byte>*[Lanes];
        for (var lane = 0; lane < Lanes; lane++)
            laneKeys[lane] = keys[KeyCells.KeyOf(Math.Min(first + lane, count - 1))];
        halves += first;
        for (var roundKey = 0; roundKey < Ff1Key.RoundKeys; roundKey++)
        {
            for (var lane = 0; lane < Lanes; lane++)
                planes[roundKey * SoftwareAes.Blocks + lane] = laneKeys[lane][roundKey];
            SoftwareAes.Transpose(planes + roundKey * SoftwareAes.Blocks);
        }
        for (var i = 0; i < Ff1Key.Rounds; i++)
        {
            var round = decrypt ? Ff1Key.Rounds - 1 - i : i;
            var changesFirst = round % 2 == 0;
            for (var lane = 0; lane < Lanes; lane++)
                blocks[lane] = Ff1Permutations.Shuffle(halves[lane].AsByte(), changesFirst ? Ff1Permutations.TakeSecond : Ff1Permutations.TakeFirst) ^ laneKeys[lane][Ff1Key.Constants + round];
            SoftwareAes.Encrypt(blocks, planes);
            for (var lane = 0; lane < Lanes; lane++)
            {
                var y = Ff1Permutations.Shuffle(blocks[lane], changesFirst ? Ff1Permutations.PutFirst : Ff1Permutations.PutSecond).AsUInt64();
                halves[lane] = (decrypt ? halves[lane] - y : halves[lane] + y) & Vector128.Create(halfMask);
            }
        }
        new Span<Vector128<byte>>(planes, Ff1Key.RoundKeys * SoftwareAes.Blocks).Clear();
    }
}
