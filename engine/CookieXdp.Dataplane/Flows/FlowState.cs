namespace CookieXdp.Dataplane.Flows;

/// <summary>How far a connection has come.</summary>
public enum FlowState : byte
{
    /// <summary>No flow: the entry is free.</summary>
    Free,

    /// <summary>The client has not yet acknowledged the backend's ISN + 1: anybody may have forged what came so far.</summary>
    HalfOpen,

    /// <summary>The client has proved that it hears what is sent to it.</summary>
    Established,

    /// <summary>A FIN of each side, or a RST, has passed.</summary>
    Closing,
}
