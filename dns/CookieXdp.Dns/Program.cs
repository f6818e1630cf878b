using System.CommandLine;
using CookieXdp.Dns.Commands;
using CookieXdp.Hosting;

var config = new Option<string>("--config", "-c")
{
    Description = "The configuration file.",
    HelpName = "FILE",
    DefaultValueFactory = _ => SettingsFile.DefaultPath,
};
var run = new Command("run", "Answer queries until SIGTERM or SIGINT; SIGHUP reads the zones again.") { config };
run.SetAction((line, _) => RunCommand.RunAsync(line.GetValue(config)!));
var check = new Command("check", "Say everything that is wrong with the configuration and its zones, or ok.") { config };
check.SetAction(line => CheckCommand.Run(line.GetValue(config)!));
var root = new RootCommand("The authoritative DNS server of CookieXdp: it mints an address for each resolver that asks.") { run, check };

// The host stops cleanly by itself on SIGTERM; the library's own handler would end the process after two seconds.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }).ConfigureAwait(false);
