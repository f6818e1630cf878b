namespace CookieXdp.Lab;

/// <summary>Something of the lab could not be made, or did not come to pass in time. The message says what was expected and what was seen.</summary>
public sealed class LabException : Exception
{
    /// <summary>An error without a message.</summary>
    public LabException()
    {
    }

    /// <summary>An error with what was expected and what was seen.</summary>
    public LabException(string message)
        : base(message)
    {
    }

    /// <summary>An error with what was expected, what was seen, and its cause.</summary>
    public LabException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
