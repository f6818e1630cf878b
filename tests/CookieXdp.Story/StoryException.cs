namespace CookieXdp.Story;

/// <summary>What the story tells was not what was seen.</summary>
public sealed class StoryException : Exception
{
    /// <summary>An error without words.</summary>
    public StoryException()
    {
    }

    /// <summary>An error in words.</summary>
    public StoryException(string message)
        : base(message)
    {
    }

    /// <summary>An error in words, with its cause.</summary>
    public StoryException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>An error in two sentences.</summary>
    public StoryException(string expected, string seen)
        : base($"expected: {expected}\n    seen: {seen}")
    {
    }
}
