using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace CookieXdp.Engine.Control;

/// <summary>What the engine and the XDP program agree on: the names and layouts of native/cookiexdp.bpf.h. A test compares the two.</summary>
internal static class XdpProgram
{
    /// <summary>The program for the uplink.</summary>
    public const string Uplink = "xdp_uplink";

    /// <summary>The program for the inside.</summary>
    public const string Inside = "xdp_inside";

    /// <summary>The program for an interface that is both.</summary>
    public const string Both = "xdp_both";

    /// <summary>Hash: <see cref="PrefixKey"/> → <see cref="PrefixFlags"/>.</summary>
    public const string Prefixes = "prefixes";

    /// <summary>Hash: <see cref="BackendKey"/> → uint, unused.</summary>
    public const string Backends = "backends";

    /// <summary>XSKMAP of the uplink, by queue.</summary>
    public const string UplinkSockets = "uplink_sockets";

    /// <summary>XSKMAP of the inside, by queue.</summary>
    public const string InsideSockets = "inside_sockets";

    /// <summary>LRU hash: both addresses and the identification of backends' packets whose first fragment went to the engine → uint, unused.</summary>
    public const string Fragmented = "fragmented";

    /// <summary>Array of one ulong: CLOCK_MONOTONIC in nanoseconds of the engine's last sign of life, 0 before it.</summary>
    public const string Heartbeat = "heartbeat";

    /// <summary>Per-CPU array of ulong, by <see cref="CounterIndex"/>.</summary>
    public const string Counters = "counters";

    /// <summary>Entries of <see cref="Prefixes"/>.</summary>
    public const int MaxPrefixes = 64;

    /// <summary>Entries of <see cref="Backends"/>.</summary>
    public const int MaxBackends = 1024;

    /// <summary>Entries of the XSKMAPs.</summary>
    public const int MaxQueues = 64;

    /// <summary>Without a sign of life for so long the program takes the engine for dead.</summary>
    public static readonly TimeSpan DeadAfter = TimeSpan.FromSeconds(2);

    private const int ReasonStride = 8;

    /// <summary>Which side of the edge a frame came in from.</summary>
    public enum Role
    {
        /// <summary>From the internet. <see cref="Both"/> counts everything here but what it redirects for a backend.</summary>
        Uplink,

        /// <summary>From the backends.</summary>
        Inside,
    }

    /// <summary>Why a frame went where it went; of each frame exactly one is counted.</summary>
    public enum Reason
    {
        /// <summary>To the engine.</summary>
        Redirected,

        /// <summary>To the kernel: not the engine's.</summary>
        Passed,

        /// <summary>Dropped: to a prefix, but no TCP or ICMPv6.</summary>
        NotForEngine,

        /// <summary>Dropped: to a prefix, and no whole IPv6 header.</summary>
        Truncated,

        /// <summary>Dropped: the queue has no AF_XDP socket.</summary>
        NoSocket,

        /// <summary>Dropped: the engine is down or hung.</summary>
        EngineDown,

        /// <summary>To the kernel: the engine is down or hung, and whenDown is pass.</summary>
        EngineDownPassed,
    }

    /// <summary>The value of a prefix.</summary>
    [Flags]
    public enum PrefixFlags : uint
    {
        /// <summary>None.</summary>
        None = 0,

        /// <summary>What the engine would get goes to the kernel while it is down (route mode).</summary>
        PassWhenDown = 1,

        /// <summary>The prefix is on-link: neighbour solicitations for it are redirected, too.</summary>
        OnLink = 2,
    }

    /// <summary>Where a counter is in <see cref="Counters"/>.</summary>
    public static uint CounterIndex(Role role, Reason reason) => ((uint)role * ReasonStride) + (uint)reason;

    /// <summary>The value of the label `reason` in the metrics.</summary>
    public static string Label(Reason reason) => reason switch
    {
        Reason.Redirected => "redirected",
        Reason.Passed => "passed",
        Reason.NotForEngine => "notForEngine",
        Reason.Truncated => "truncated",
        Reason.NoSocket => "noSocket",
        Reason.EngineDown => "engineDown",
        Reason.EngineDownPassed => "engineDownPassed",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, "the XDP program has no such reason"),
    };

    /// <summary>Whether frames counted under a reason were dropped.</summary>
    public static bool IsDrop(Reason reason) =>
        reason is Reason.NotForEngine or Reason.Truncated or Reason.NoSocket or Reason.EngineDown;

    /// <summary>Key of <see cref="Prefixes"/> (struct cookiexdp_prefix).</summary>
    [InlineArray(8)]
    public struct PrefixKey
    {
        private byte _first;

        /// <summary>A /48's first six bytes, as they stand in an address; more bytes are ignored.</summary>
        public PrefixKey(ReadOnlySpan<byte> address) => address[..6].CopyTo(this);
    }

    /// <summary>Key of <see cref="Backends"/> (struct cookiexdp_backend).</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct BackendKey
    {
        private AddressBytes _address;
        private readonly ushort _port;
        private readonly ushort _zero;

        /// <summary>An address of 16 bytes and a port, in host byte order here.</summary>
        public BackendKey(ReadOnlySpan<byte> address, ushort port)
        {
            address[..16].CopyTo(_address);
            _port = BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(port) : port;
            _zero = 0;
        }

        [InlineArray(16)]
        private struct AddressBytes
        {
            private byte _first;
        }
    }
}
