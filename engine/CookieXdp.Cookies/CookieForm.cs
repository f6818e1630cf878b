using CookieXdp.Cookies.Forms;

namespace CookieXdp.Cookies;

/// <summary>How this process enciphers cookies, for a log line at start.</summary>
public static class CookieForm
{
    /// <summary>The form's name, as <c>COOKIEXDP_FF1_FORM</c> takes it: vaes, interleaved, scalar or software.</summary>
    /// <exception cref="PlatformNotSupportedException">The environment names a form that this processor cannot do, or none there is.</exception>
    public static string Name => Ff1Forms.Chosen.Name;

    /// <summary>Whether it is done without AES instructions, some fifty times slower: the processor lacks them, or the environment asks for it.</summary>
    /// <exception cref="PlatformNotSupportedException">As <see cref="Name"/>.</exception>
    public static bool IsSlow => Name == "software";
}
