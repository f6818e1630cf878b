using System.Globalization;
using System.Runtime.Intrinsics;
using CookieXdp.Cookies;
using CookieXdp.Cookies.Forms;

namespace CookieXdp.Bench;

/// <summary>
/// One row of the table: opening or minting in batches of one size, of one epoch or of four. Every cookie is another, and comes round again only
/// when more memory has been walked through than caches hold; all that a cookie says is decoded, and stored.
/// </summary>
internal sealed class CookieRow
{
    /// <summary>Cookies a pass.</summary>
    internal const int PerPass = 1 << 16;

    /// <summary>Cookies until one comes round again: 32 MiB of addresses and as much of what they say.</summary>
    private const int Ring = 1 << 21;

    /// <summary>One minute before midnight: so four epochs mint what is genuine, tomorrow's first tick among them.</summary>
    private const long Now = 20_000 * CookieTime.EpochSeconds - 60;

    private static readonly int[] _batches = [1, 8, 32, 64, 256];

    private readonly PrefixKeys _keys;
    private readonly Ff1Form _form;
    private readonly bool _mints;
    private readonly int _batch;
    private readonly MintOrder[] _orders = new MintOrder[Ring];
    private readonly Vector128<byte>[] _addresses = GC.AllocateArray<Vector128<byte>>(Ring, pinned: true);
    private readonly OpenedCookie[] _opened = new OpenedCookie[Ring];
    private int _position;

    /// <summary>Prepares a row, and checks that its form mints and opens rightly.</summary>
    /// <param name="name">Its name, of <see cref="Names"/>.</param>
    /// <param name="form">The form to measure.</param>
    /// <exception cref="InvalidDataException">What was minted opens to something else.</exception>
    internal CookieRow(string name, Ff1Form form)
    {
        _mints = name.StartsWith("mint", StringComparison.Ordinal);
        _batch = _batches.Single(batch => name.Split('_').Contains($"b{batch}"));
        var mixed = name.EndsWith("_mixed", StringComparison.Ordinal);
        _form = form;
        var random = new Random(name.Length);
        var secret = new byte[MasterSecret.Length];
        random.NextBytes(secret);
        using var master = MasterSecret.FromBytes(secret);
        // As the programs get them.
        var prefix = CookiePrefix.Parse("2001:db8:25::/48");
        _keys = Keyring.Read(Keyring.Write([master], [prefix], 1, Now)).KeysOf(prefix)!;
        for (var i = 0; i < Ring; i++)
            _orders[i] = new MintOrder(RandomNetwork(random), mixed ? AnyEpoch(random) : Now - random.Next(86_000), random.Next(16), random.Next(2) == 0, random.Next(2) == 0);
        if (!_keys.TryMint(form, _orders, _addresses))
            throw new InvalidDataException("the keys do not reach");
        _keys.Open(form, _addresses, Now, _opened);
        for (var i = 0; i < Ring; i++)
        {
            var (opened, order) = (_opened[i], _orders[i]);
            if (!opened.IsGenuine || opened.Resolver.Value != order.Resolver || opened.MintedAt != order.MintedAt / CookieTime.TickSeconds * CookieTime.TickSeconds || opened.Rest != order.Rest)
                throw new InvalidDataException($"{form.Name}: what was minted opens to something else");
        }
        if (name.EndsWith("_false", StringComparison.Ordinal))
            Falsify();
    }

    /// <summary>Changes a bit of every cookie, as a flood that guesses would have it.</summary>
    private void Falsify()
    {
        foreach (ref var address in _addresses.AsSpan())
            address ^= Vector128<byte>.Zero.WithElement(15, (byte)1);
        _keys.Open(_form, _addresses, Now, _opened);
        var genuine = _opened.Count(cookie => cookie.IsGenuine);
        if (genuine > 100)
            throw new InvalidDataException($"{_form.Name}: {genuine} of {Ring} changed cookies are genuine");
    }

    /// <summary>The rows' names: those of the interleaved form, and with <c>vaes</c> in them those of the form for vector AES.</summary>
    internal static IEnumerable<string> Names { get; } = [.. Genuine, "open_b64_false", "open_vaes_b64_false"];

    private static IEnumerable<string> Genuine =>
        from form in (string[])["", "_vaes"]
        from work in (string[])["open", "mint"]
        from epochs in (string[])["", "_mixed"]
        from batch in _batches
        select string.Create(CultureInfo.InvariantCulture, $"{work}{form}_b{batch}{epochs}");

    /// <summary>The form that a row measures, or null where this processor cannot do it.</summary>
    internal static Ff1Form? FormOf(string name)
    {
        var form = name.Contains("_vaes", StringComparison.Ordinal) ? "vaes" : "interleaved";
        return Ff1Forms.All.FirstOrDefault(one => one.Name == form);
    }

    /// <summary>Opens or mints the next <see cref="PerPass"/> cookies.</summary>
    internal void Pass()
    {
        var end = _position + PerPass;
        if (_mints)
        {
            for (var i = _position; i < end; i += _batch)
                _keys.TryMint(_form, _orders.AsSpan(i, _batch), _addresses.AsSpan(i, _batch));
        }
        else
        {
            for (var i = _position; i < end; i += _batch)
                _keys.Open(_form, _addresses.AsSpan(i, _batch), Now, _opened.AsSpan(i, _batch));
        }
        _position = end % Ring;
    }

    private static ResolverNetwork RandomNetwork(Random random) => random.Next(2) == 0
        ? ResolverNetwork.FromIpv4((uint)random.NextInt64(1L << 32))
        : ResolverNetwork.TryFromBits(isIpv6: true, (ulong)random.NextInt64(1L << 41), out var network) ? network : ResolverNetwork.Unknown;

    /// <summary>A time in one of four epochs, each as likely.</summary>
    private static long AnyEpoch(Random random) => random.Next(PrefixKeys.EpochCount) switch
    {
        0 => Now + 60 + random.Next(60),
        var before => Now + 60 - before * CookieTime.EpochSeconds + random.Next(CookieTime.EpochSeconds - 60),
    };
}
