using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using AesNi = System.Runtime.Intrinsics.X86.Aes;

namespace CookieXdp.Cookies.Forms;

/// <summary>AES-NI: AESENC adds the key of its round behind it.</summary>
internal readonly unsafe struct X86Aes : IAesRounds
{
    public static bool IsSupported => AesNi.IsSupported && System.Runtime.Intrinsics.X86.Ssse3.IsSupported;

    public static int FirstKey => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Round(Vector128<byte> block, Vector128<byte> key) => AesNi.Encrypt(block, key);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> LastRound(Vector128<byte> block, Vector128<byte>* roundKeys) => AesNi.EncryptLast(block, roundKeys[10]);
}
