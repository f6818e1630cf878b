using CookieXdp.Lab;

namespace CookieXdp.Story;

/// <summary>KEEP=1: the stage stays up, with the words to say at another terminal to act on it oneself.</summary>
public sealed class Encore(Narrator narrator, Stage stage)
{
    /// <summary>Prints the commands, then tells each message that arrives, until the token is cancelled.</summary>
    public async Task StayAsync(CancellationToken cancellation)
    {
        narrator.Say(
            $"""
            The stage stays up until Ctrl-C (KEEP=1). At another terminal:

            - send a message of your own:
                {Inside(stage.Topology.Internet, $"""sh -c 'swaks --from me@example.org --to you@example.com --server "[$(dig +short @{Topology.GoodResolver} AAAA {Edge.ZoneName})]"'""")}
            - or as a mail server would, by MX and AAAA: see its log in {stage.Sender.Postfix.Process.LogFile}
            - what arrives is told below, and lies in {Path.Combine(stage.Backend.Maildir, "new")}
            - knock without having asked, and hear nothing (it gives up after 3 s):
                {Inside(stage.Topology.Internet, $"swaks --timeout 3 --quit-after CONNECT --server '[2001:db8:25::{Edge.SmtpService}]'")}
            - the same with an address that the banned resolver was given:
                {Inside(stage.Topology.Internet, $"""sh -c 'swaks --timeout 3 --quit-after CONNECT --server "[$(dig +short @{Topology.BannedResolver} AAAA {Edge.ZoneName})]"'""")}
            - the counters:
                {Inside(stage.Topology.Edge, $"curl -s http://{Edge.EngineMetricsAt}/metrics")}
                {Inside(stage.Topology.Edge, $"curl -s http://{Edge.DnsMetricsAt}/metrics")}
            - the programs' logs and configuration: {stage.Folder.Path}

            """);
        var told = new HashSet<string>(Messages(), StringComparer.Ordinal);
        while (!cancellation.IsCancellationRequested)
        {
            foreach (var message in Messages().Where(told.Add))
            {
                narrator.Tell("A message has arrived:");
                narrator.Add(message);
            }

            // Cancelled is how it is meant to end; no exception for that.
            await Task.Delay(200, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        narrator.Say("The curtain falls; the stage is taken down.");
    }

    private static string Inside(Namespace where, string command)
    {
        var asRoot = Environment.GetEnvironmentVariable("SUDO_UID") is null ? "" : "sudo ";
        var holder = LabSurroundings.Holder;
        return $"{asRoot}nsenter -t {holder} -m --pid=/proc/{holder}/ns/pid_for_children ip netns exec {where.Name} {command}";
    }

    private string[] Messages()
    {
        var arrived = Path.Combine(stage.Backend.Maildir, "new");
        return Directory.Exists(arrived) ? Directory.GetFiles(arrived) : [];
    }
}
