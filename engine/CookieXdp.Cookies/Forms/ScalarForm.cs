using System.Runtime.Intrinsics;

namespace CookieXdp.Cookies.Forms;

/// <summary>One message after the other: the reference that the interleaved form is tested against, and what it does with one or two.</summary>
internal sealed unsafe class ScalarForm<TAes> : Ff1Form
    where TAes : struct, IAesRounds
{
    internal override string Name => "scalar";

    internal override void Encrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        for (var i = 0; i < count; i++)
        {
            var state = halves[i];
            var key = keys[KeyCells.KeyOf(i)];
            for (var round = 0; round < Ff1Key.Rounds; round += 2)
            {
                state = (state + Keystream(state, key, round, Ff1Permutations.TakeSecond, Ff1Permutations.PutFirst)) & Vector128.Create(halfMask);
                state = (state + Keystream(state, key, round + 1, Ff1Permutations.TakeFirst, Ff1Permutations.PutSecond)) & Vector128.Create(halfMask);
            }
            halves[i] = state;
        }
    }

    internal override void Decrypt(Vector128<ulong>* halves, Vector128<byte>** keys, int count, ulong halfMask)
    {
        for (var i = 0; i < count; i++)
        {
            var state = halves[i];
            var key = keys[KeyCells.KeyOf(i)];
            for (var round = Ff1Key.Rounds - 2; round >= 0; round -= 2)
            {
                state = (state - Keystream(state, key, round + 1, Ff1Permutations.TakeFirst, Ff1Permutations.PutSecond)) & Vector128.Create(halfMask);
                state = (state - Keystream(state, key, round, Ff1Permutations.TakeSecond, Ff1Permutations.PutFirst)) & Vector128.Create(halfMask);
            }
            halves[i] = state;
        }
    }

    private static Vector128<ulong> Keystream(Vector128<ulong> state, Vector128<byte>* key, int round, Vector128<byte> take, Vector128<byte> put)
    {
        var block = Ff1Permutations.Shuffle(state.AsByte(), take) ^ key[Ff1Key.ConstantsOf<TAes>() + round];
        for (var aesRound = 1; aesRound < 10; aesRound++)
            block = TAes.Round(block, key[aesRound - 1 + TAes.FirstKey]);
        return Ff1Permutations.Shuffle(TAes.LastRound(block, key), put).AsUInt64();
    }
}
