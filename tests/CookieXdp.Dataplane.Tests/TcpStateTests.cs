using CookieXdp.Dataplane.Flows;

namespace CookieXdp.Dataplane.Tests;

/// <summary>What segments make of a flow: a table of connections, each with the state that it ends in. All of the segments are passed on.</summary>
public sealed class TcpStateTests : IDisposable
{
    private static readonly string _cookie = Rig.Mint();

    private readonly Rig _rig = new();

    public void Dispose() => _rig.Dispose();

    public static TheoryData<string, string, FlowState> Connections => new()
    {
        { "a SYN", ">S1000", FlowState.HalfOpen },
        { "a SYN and its answer", ">S1000 <SA5000,1001", FlowState.HalfOpen },
        { "a handshake", ">S1000 <SA5000,1001 >A1001,5001", FlowState.Established },
        { "a handshake whose last ACK brings data", ">S1000 <SA5000,1001 >A1001,5001+10", FlowState.Established },
        { "a handshake over the end of the numbers", ">S4294967295 <SA4294967295,0 >A0,0", FlowState.Established },
        { "an acknowledgment of the ISN itself", ">S1000 <SA5000,1001 >A1001,5000", FlowState.HalfOpen },
        { "an acknowledgment of more than the ISN + 1", ">S1000 <SA5000,1001 >A1001,5002", FlowState.HalfOpen },
        { "an acknowledgment before the backend has answered", ">S1000 >A1001,5001", FlowState.HalfOpen },
        { "a wrong acknowledgment, and then the right one", ">S1000 <SA5000,1001 >A1001,7000 >A1001,5001", FlowState.Established },
        { "the right number without the ACK flag", ">S1000 <SA5000,1001 >F1001,5001", FlowState.HalfOpen },
        { "a SYN sent again", ">S1000 >S1000 <SA5000,1001 >S1000 <SA5000,1001 >A1001,5001", FlowState.Established },
        { "a SYN of a client that began anew", ">S1000 >S2000 <SA5000,2001 >A2001,5001", FlowState.Established },
        { "an answer of a backend that began anew", ">S1000 <SA5000,1001 <SA6000,1001 >A1001,6001", FlowState.Established },
        { "a simultaneous open", ">S1000 <S5000 >SA1000,5001 <SA5000,1001", FlowState.Established },
        { "a simultaneous open that acknowledges wrongly", ">S1000 <S5000 >SA1000,5000", FlowState.HalfOpen },

        { "a SYN in the middle", Talk.Established + ">S9000", FlowState.Established },
        { "a SYN in the middle, and a reset with its number", Talk.Established + ">S9000 >R9001", FlowState.Established },
        { "a SYN/ACK in the middle, and a reset with its number", Talk.Established + "<SA9000,1001 <R9001", FlowState.Established },
        { "a client that has restarted, is asked back, and resets", Talk.Established + ">S9000 <A5001,1001 >R1001", FlowState.Closing },

        { "a reset with the next number", Talk.Established + ">R1001", FlowState.Closing },
        { "a reset with the next number and an acknowledgment", Talk.Established + ">RA1001,5001", FlowState.Closing },
        { "a reset one too low", Talk.Established + ">R1000", FlowState.Established },
        { "a reset one too high", Talk.Established + ">R1002", FlowState.Established },
        { "a reset within the window", Talk.Established + ">R9000", FlowState.Established },
        { "a reset behind data on its way", Talk.Established + ">A1001,5001+100 >R1101", FlowState.Closing },
        { "a reset in the middle of data on its way", Talk.Established + ">A1001,5001+100 >R1050", FlowState.Established },
        { "a reset behind data, acknowledged since", Talk.Established + ">A1001,5001+100 <A5001,1101 >R1101", FlowState.Closing },
        { "a reset behind a gap", Talk.Established + ">A1101,5001+100 >R1201", FlowState.Established },
        { "a reset behind what was a gap, acknowledged since", Talk.Established + ">A1101,5001+100 <A5001,1201 >R1201", FlowState.Closing },
        { "a reset behind data after what was a gap", Talk.Established + ">A1101,5001+100 <A5001,1201 >A1201,5001+50 >R1251", FlowState.Closing },
        { "data forged elsewhere in the window, and a reset behind it", Talk.Established + ">A3000,5001+100 >R3100", FlowState.Established },
        { "a reset of a half-open connection", ">S1000 >R1001", FlowState.Closing },
        { "a forged reset of a half-open connection", ">S1000 <SA5000,1001 >R1002", FlowState.HalfOpen },

        { "a refused connection", ">S1000 <RA0,1001", FlowState.Closing },
        { "a refusal of another SYN", ">S1000 <RA0,1002", FlowState.HalfOpen },
        { "a refusal without an acknowledgment", ">S1000 <R0", FlowState.HalfOpen },
        { "an answer, and a reset with its next number", ">S1000 <SA5000,1001 <R5001", FlowState.Closing },
        { "a reset that answers a forged acknowledgment", ">S1000 <SA5000,1001 >A1001,7777 <R7777", FlowState.HalfOpen },
        { "a reset of the backend with its next number", Talk.Established + "<R5001", FlowState.Closing },
        { "a reset of the backend behind its data", Talk.Established + "<A5001,1001+20 <R5021", FlowState.Closing },
        { "a reset of the backend that the client expects", Talk.Established + "<A5001,1001+20 >A1001,5021 <A5031,1001+5 <RA5021,1001", FlowState.Closing },
        { "a reset of the backend with any other number", Talk.Established + "<R5002", FlowState.Established },

        { "a FIN of the client", Talk.Established + ">FA1001,5001", FlowState.Established },
        { "a FIN of the backend", Talk.Established + "<FA5001,1001", FlowState.Established },
        { "a FIN of the client twice", Talk.Established + ">FA1001,5001 >FA1001,5001", FlowState.Established },
        { "a FIN of each, the client's first", Talk.Established + ">FA1001,5001 <FA5001,1002", FlowState.Closing },
        { "a FIN of each, the backend's first", Talk.Established + "<FA5001,1001 >FA1001,5002", FlowState.Closing },
        { "a FIN with the last ACK of the handshake", ">S1000 <SA5000,1001 >FA1001,5001 <FA5001,1002", FlowState.Closing },
        { "all of an end", Talk.Established + ">FA1001,5001 <FA5001,1002 >A1002,5002 <FA5001,1002 >A1002,5002", FlowState.Closing },

        { "a SYN on a port in TIME-WAIT", Talk.Established + ">FA1001,5001 <FA5001,1002 >A1002,5002 >S9000", FlowState.HalfOpen },
        { "a new connection on a port in TIME-WAIT", Talk.Established + ">FA1001,5001 <FA5001,1002 >A1002,5002 >S9000 <SA7000,9001 >A9001,7001", FlowState.Established },
        { "a new connection on a port that was reset", Talk.Established + ">R1001 >S9000 <SA7000,9001 >A9001,7001", FlowState.Established },
        { "the ACK of the connection before on a port in use again", Talk.Established + ">R1001 >S9000 <SA7000,9001 >A1001,5001", FlowState.HalfOpen },
    };

    [Theory]
    [MemberData(nameof(Connections))]
    public void A_connection_is_in_the_state_that_its_segments_have_brought_it_to(string sentence, string segments, FlowState expected)
    {
        Assert.All(Talk.Send(_rig, _cookie, segments), fate => Assert.Equal(DropReason.None, fate));
        foreach (var state in new[] { FlowState.HalfOpen, FlowState.Established, FlowState.Closing })
            Assert.True(_rig.Flows.CountOf(state) == (state == expected ? 1 : 0), $"{sentence}: {expected} expected");
    }

    /// <summary>RFC 5382, section 5, REQ-5; RFC 7857, sections 2.1 and 2.2.</summary>
    [Theory]
    [InlineData(">S1000", 60)]
    [InlineData(">S1000 <SA5000,1001", 240)]
    [InlineData(Talk.Established, 7440)]
    [InlineData(Talk.Established + ">FA1001,5001", 7440)]
    [InlineData(Talk.Established + ">R1001", 240)]
    [InlineData(Talk.Established + "<R5001", 240)]
    [InlineData(Talk.Established + ">R1002", 7440)]
    [InlineData(Talk.Established + ">FA1001,5001 <FA5001,1002", 60)]
    public void A_connection_without_a_frame_is_forgotten_after(string segments, uint seconds)
    {
        Talk.Send(_rig, _cookie, segments);
        Assert.Equal(0, _rig.Flows.Expire(_rig.Uptime + seconds - 1, 100));
        Assert.Equal(1, _rig.Flows.Expire(_rig.Uptime + seconds, 100));
    }

    [Fact]
    public void Frames_of_a_closed_connection_pass_until_it_is_forgotten()
    {
        Talk.Send(_rig, _cookie, Talk.Established + ">R1001");
        _rig.Uptime += 239;
        Assert.Equal([DropReason.None, DropReason.None], Talk.Send(_rig, _cookie, "<A5001,1001 >R1001"));
        _rig.Uptime += 239;
        _rig.Flows.Expire(_rig.Uptime, 100);
        Assert.Equal([DropReason.None], Talk.Send(_rig, _cookie, "<A5001,1001"));
        _rig.Uptime += 240;
        _rig.Flows.Expire(_rig.Uptime, 100);
        Assert.Equal([DropReason.NoFlow, DropReason.NoFlow], Talk.Send(_rig, _cookie, "<A5001,1001 >R1001"));
    }
}
