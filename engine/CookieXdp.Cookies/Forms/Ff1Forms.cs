namespace CookieXdp.Cookies.Forms;

/// <summary>Chooses the form: the fastest that this processor can do, or the one that the environment names.</summary>
internal static class Ff1Forms
{
    /// <summary>The environment variable that forces a form: <c>vaes</c>, <c>interleaved</c>, <c>scalar</c> or <c>software</c>.</summary>
    internal const string Variable = "COOKIEXDP_FF1_FORM";

    /// <summary>All that this processor can do, the fastest first; software always is among them.</summary>
    internal static IReadOnlyList<Ff1Form> All { get; } =
        VaesForm.IsSupported ? [new VaesForm(), new InterleavedForm<X86Aes>(), new ScalarForm<X86Aes>(), new SoftwareForm()]
        : X86Aes.IsSupported ? [new InterleavedForm<X86Aes>(), new ScalarForm<X86Aes>(), new SoftwareForm()]
        : ArmAes.IsSupported ? [new InterleavedForm<ArmAes>(), new ScalarForm<ArmAes>(), new SoftwareForm()]
        : [new SoftwareForm()];

    /// <summary>The one in use.</summary>
    /// <exception cref="PlatformNotSupportedException">As <see cref="Choose"/>.</exception>
    internal static Ff1Form Chosen => _chosen ??= Choose(Environment.GetEnvironmentVariable(Variable));

    private static Ff1Form? _chosen;

    /// <summary>The form of a name, or the best where none is named.</summary>
    /// <exception cref="PlatformNotSupportedException">The named one is unknown, or not for this processor.</exception>
    internal static Ff1Form Choose(string? name) => string.IsNullOrEmpty(name)
        ? All[0]
        : All.FirstOrDefault(form => form.Name == name)
            ?? throw new PlatformNotSupportedException($"{Variable}={name}: this processor can do {string.Join(", ", All.Select(form => form.Name))}");
}
