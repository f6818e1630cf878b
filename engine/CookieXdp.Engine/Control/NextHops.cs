using System.Net;
using System.Net.NetworkInformation;
using CookieXdp.AfXdp;
using CookieXdp.Dataplane;

namespace CookieXdp.Engine.Control;

/// <summary>
/// Keeps the next hops of the backends and of the uplink known: asks the kernel for route and neighbour once a second, and has it
/// keep the neighbours alive, although it sees none of the traffic.
/// </summary>
internal sealed class NextHops : IDisposable
{
    /// <summary>Seconds between two times that a known neighbour is used: less than the kernel takes to forget one.</summary>
    private const int KeepAliveSeconds = 5;

    /// <summary>An address of the internet: the way to it is the uplink's default route.</summary>
    private static readonly IPAddress _somewhere = IPAddress.Parse("2000::");

    private readonly RouteNetlink _netlink = new();
    private readonly List<Target> _targets = [];
    private readonly Action<string> _report;

    internal NextHops(Action<string> report) => _report = report;

    /// <summary>Whether every next hop is known.</summary>
    internal bool AllResolved => _targets.TrueForAll(target => target.Hop.IsResolved);

    /// <summary>Those that are not known, in words.</summary>
    internal string Unresolved => string.Join(", ", _targets.Where(target => !target.Hop.IsResolved).Select(target => target.Name));

    /// <summary>Adds an address to reach through an interface.</summary>
    /// <param name="name">What it is, for the log.</param>
    /// <param name="device">The interface.</param>
    /// <param name="destination">The address, or null: the internet.</param>
    /// <param name="gateway">The next hop where the configuration names it; else the kernel's route is asked.</param>
    /// <param name="vlanTags">The VLAN ids that frames leave the interface with.</param>
    /// <returns>An index for <see cref="this[int]"/>.</returns>
    internal int Add(string name, Device device, IPAddress? destination, IPAddress? gateway, IReadOnlyList<int> vlanTags)
    {
        _targets.Add(new Target(name, device, destination ?? _somewhere, gateway, vlanTags));
        return _targets.Count - 1;
    }

    /// <summary>A next hop as it is known now.</summary>
    internal NextHop this[int index] => _targets[index].Hop;

    /// <summary>Asks the kernel anew.</summary>
    /// <returns>Whether any next hop has changed.</returns>
    internal bool Refresh()
    {
        var changed = false;
        foreach (var target in _targets)
            changed |= Refresh(target);
        return changed;
    }

    public void Dispose() => _netlink.Dispose();

    private bool Refresh(Target target)
    {
        try
        {
            var mac = Resolve(target);
            if (Equals(mac, target.Mac))
                return false;
            if (mac is null)
                _report($"{target.Name}: no longer answers on {target.Device.Name}");
            target.Mac = mac;
            target.Hop = new NextHop(mac, target.Source, target.VlanTags);
            return true;
        }
        catch (IOException e)
        {
            target.Say(_report, e.Message);
            return false;
        }
    }

    private PhysicalAddress? Resolve(Target target)
    {
        var nextHop = target.Gateway;
        if (nextHop is null)
        {
            if (!_netlink.TryFindRoute(target.Destination, out var interfaceIndex, out nextHop))
            {
                target.Say(_report, $"{target.Name}: the kernel has no route to it: add one through {target.Device.Name}, or name its gateway in the configuration");
                return null;
            }
            if (interfaceIndex != target.Device.Index)
            {
                target.Say(_report, $"{target.Name}: the kernel's route to it does not lead through {target.Device.Name}: correct the route, or name the gateway in the configuration");
                return null;
            }
        }
        var mac = _netlink.FindNeighbour(target.Device.Index, nextHop);
        if (mac is null || Environment.TickCount64 >= target.NextKeepAlive)
        {
            _netlink.UseNeighbour(target.Device.Index, nextHop);
            target.NextKeepAlive = Environment.TickCount64 + KeepAliveSeconds * 1000;
        }
        if (mac is not null)
            target.Problem = null;
        return mac;
    }

    /// <summary>A device's hardware address.</summary>
    internal static PhysicalAddress MacOf(Device device)
    {
        var mac = device.Mac;
        return new(((ReadOnlySpan<byte>)mac).ToArray());
    }

    private sealed class Target(string name, Device device, IPAddress destination, IPAddress? gateway, IReadOnlyList<int> vlanTags)
    {
        internal string Name { get; } = name;

        internal Device Device { get; } = device;

        internal IPAddress Destination { get; } = destination;

        internal IPAddress? Gateway { get; } = gateway;

        internal IReadOnlyList<int> VlanTags { get; } = vlanTags;

        internal PhysicalAddress Source { get; } = MacOf(device);

        internal PhysicalAddress? Mac { get; set; }

        internal NextHop Hop { get; set; } = new(destination: null, MacOf(device), vlanTags);

        internal long NextKeepAlive { get; set; }

        internal string? Problem { get; set; }

        /// <summary>Says a problem once, and again only when another was said in between.</summary>
        internal void Say(Action<string> report, string problem)
        {
            if (problem != Problem)
                report(problem);
            Problem = problem;
        }
    }
}
