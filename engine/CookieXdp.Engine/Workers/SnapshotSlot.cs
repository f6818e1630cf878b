using CookieXdp.Dataplane;

namespace CookieXdp.Engine.Workers;

/// <summary>Where control puts what the workers judge by: one pointer, exchanged whole.</summary>
internal sealed class SnapshotSlot(PathSnapshot first)
{
    private volatile PathSnapshot _value = first;

    internal PathSnapshot Value
    {
        get => _value;
        set => _value = value;
    }
}
