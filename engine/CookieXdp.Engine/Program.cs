using System.CommandLine;
using CookieXdp.Engine.Commands;

namespace CookieXdp.Engine;

/// <summary>The <c>cookiexdp</c> program: the commands, each in a file of its own.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        var root = new RootCommand("CookieXdp: admits connections by the encrypted cookie in their IPv6 destination address.")
        {
            RunCommand.Create(),
            CheckCommand.Create(),
            DetachCommand.Create(),
            KeysCommand.Create(),
            MintCommand.Create(),
            OpenCommand.Create(),
        };
        return root.Parse(arguments).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }
}
