using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Crypto = System.Runtime.Intrinsics.Arm.Aes;

namespace CookieXdp.Cookies.Forms;

/// <summary>ARMv8's cryptography extension: AESE adds the key of the round before, then substitutes and shifts; AESMC mixes columns.</summary>
internal readonly unsafe struct ArmAes : IAesRounds
{
    public static bool IsSupported => Crypto.IsSupported;

    public static int FirstKey => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Round(Vector128<byte> block, Vector128<byte> key) => Crypto.MixColumns(Crypto.Encrypt(block, key));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> LastRound(Vector128<byte> block, Vector128<byte>* roundKeys) =>
        Crypto.Encrypt(block, roundKeys[9]) ^ roundKeys[10];
}
