using System.Globalization;
using System.Text.RegularExpressions;

namespace CookieXdp.Dataplane.Tests;

/// <summary>
/// A connection as a row of a table: segments one after the other, each a side, flags, sequence number, and what it acknowledges. <c>&gt;S1000 &lt;SA5000,1001
/// &gt;A1001,5001+20</c>: the client's SYN, the backend's SYN/ACK, the client's ACK with 20 bytes.
/// </summary>
internal static partial class Talk
{
    public const string Established = ">S1000 <SA5000,1001 >A1001,5001 ";

    /// <summary>Sends all segments through a path.</summary>
    /// <returns>Each one's fate.</returns>
    public static IReadOnlyList<DropReason> Send(Rig rig, string cookie, string segments)
    {
        var fates = new List<DropReason>();
        foreach (var word in segments.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var match = Form().Match(word);
            Assert.True(match.Success, word);
            var flags = TcpFlags.None;
            foreach (var letter in match.Groups["flags"].Value)
                flags |= letter switch { 'S' => TcpFlags.Syn, 'A' => TcpFlags.Ack, 'F' => TcpFlags.Fin, _ => TcpFlags.Rst };
            var fromClient = match.Groups["side"].Value == ">";
            var segment = fromClient ? new Packet { Source = Rig.Client, Destination = cookie } : Rig.Reply();
            fates.Add(rig.Send(segment with
            {
                Flags = flags,
                Sequence = Number(match.Groups["sequence"]),
                Acknowledgment = Number(match.Groups["acknowledgment"]),
                Payload = new byte[Number(match.Groups["length"])],
            }, fromClient ? Side.Uplink : Side.Inside));
        }
        return fates;
    }

    private static uint Number(Group group) => group.Success ? uint.Parse(group.Value, CultureInfo.InvariantCulture) : 0;

    [GeneratedRegex(@"^(?<side>[<>])(?<flags>[SAFR]+)(?<sequence>\d+)(,(?<acknowledgment>\d+))?(\+(?<length>\d+))?$", RegexOptions.ExplicitCapture)]
    private static partial Regex Form();
}
