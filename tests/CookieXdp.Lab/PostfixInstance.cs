namespace CookieXdp.Lab;

/// <summary>
/// A real Postfix in the foreground. Configuration, queue and data are its own, bound over /etc/postfix, /var/spool/postfix and
/// /var/lib/postfix in a mount namespace of its own: several run at once, and it does not matter who may enter the repository's folder.
/// </summary>
public sealed class PostfixInstance : IAsyncDisposable
{
    // No chroot (the fifth column): the lab's resolv.conf and mailboxes are outside of it.
    private const string Services =
        """
        pickup     unix       n  -  n  60     1  pickup
        cleanup    unix       n  -  n  -      0  cleanup
        qmgr       unix       n  -  n  300    1  qmgr
        tlsmgr     unix       -  -  n  1000?  1  tlsmgr
        rewrite    unix       -  -  n  -      -  trivial-rewrite
        bounce     unix       -  -  n  -      0  bounce
        defer      unix       -  -  n  -      0  bounce
        trace      unix       -  -  n  -      0  bounce
        verify     unix       -  -  n  -      1  verify
        flush      unix       n  -  n  1000?  0  flush
        proxymap   unix       -  -  n  -      -  proxymap
        proxywrite unix       -  -  n  -      1  proxymap
        smtp       unix       -  -  n  -      -  smtp
        relay      unix       -  -  n  -      -  smtp
        showq      unix       n  -  n  -      -  showq
        error      unix       -  -  n  -      -  error
        retry      unix       -  -  n  -      -  error
        discard    unix       -  -  n  -      -  discard
        local      unix       -  n  n  -      -  local
        virtual    unix       -  n  n  -      -  virtual
        lmtp       unix       -  -  n  -      -  lmtp
        anvil      unix       -  -  n  -      1  anvil
        scache     unix       -  -  n  -      1  scache
        postlog    unix-dgram n  -  n  -      1  postlogd

        """;

    // Waiting, thrift and mercy are for production; here the limits are out of the way and retries come soon.
    private const string CommonSettings =
        """
        compatibility_level = 3.6
        maillog_file = /dev/stdout
        enable_long_queue_ids = yes
        default_process_limit = 200
        default_destination_concurrency_limit = 100
        initial_destination_concurrency = 100
        in_flow_delay = 0
        message_size_limit = 31457280
        mailbox_size_limit = 0
        virtual_mailbox_limit = 0
        minimal_backoff_time = 5s
        maximal_backoff_time = 10s
        queue_run_delay = 5s
        notify_classes =
        biff = no
        alias_maps =
        alias_database =
        local_recipient_maps =
        mynetworks = 127.0.0.0/8 [::1]/128
        smtputf8_enable = no

        """;

    private PostfixInstance(string home, IReadOnlyList<(string, string)> binds, LabProcess process)
    {
        Home = home;
        Binds = binds;
        Process = process;
    }

    /// <summary>The folder with its configuration, queue and data.</summary>
    public string Home { get; }

    /// <summary>What its commands (sendmail, postqueue) must see in place of the machine's own.</summary>
    public IReadOnlyList<(string Source, string Target)> Binds { get; }

    /// <summary>The running program; its lines are the mail log.</summary>
    public LabProcess Process { get; }

    /// <summary>Starts one.</summary>
    /// <param name="folder">The run's folder.</param>
    /// <param name="name">Its name, folder and log.</param>
    /// <param name="where">The network namespace it runs in.</param>
    /// <param name="settings">Lines for main.cf beside the common ones.</param>
    /// <param name="services">Lines for master.cf beside the common ones, such as the SMTP server.</param>
    /// <param name="binds">More files or folders that it sees in place of others.</param>
    /// <exception cref="LabException">It did not come up.</exception>
    public static async Task<PostfixInstance> StartAsync(
        LabFolder folder, string name, Namespace where, string settings, string services = "", params IReadOnlyList<(string Source, string Target)> binds)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var home = folder.MakeFolder(name);
        var configuration = folder.MakeFolder(name, "etc");
        CopyFolder("/etc/postfix", configuration);
        await File.WriteAllTextAsync(Path.Combine(configuration, "main.cf"), CommonSettings + settings);
        await File.WriteAllTextAsync(Path.Combine(configuration, "master.cf"), Services + services);
        var data = folder.MakeFolder(name, "data");
        (await new Command("chown", "postfix", data).RunAsync()).Demand();
        IReadOnlyList<(string, string)> all =
        [
            (configuration, "/etc/postfix"),
            (folder.MakeFolder(name, "queue"), "/var/spool/postfix"),
            (data, "/var/lib/postfix"),
            .. binds,
        ];

        // Its start script waits for the master and passes no signal on: the whole group is told to end.
        var process = LabProcess.Start(folder, name, new("postfix", "start-fg") { In = where, Binds = all }, stopsAsGroup: true);
        try
        {
            await process.WaitForLineAsync("daemon started", TimeSpan.FromSeconds(20));
            return new(home, all, process);
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Process.DisposeAsync();

    private static void CopyFolder(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)), overwrite: true);
        foreach (var folder in Directory.GetDirectories(from))
            CopyFolder(folder, Path.Combine(to, Path.GetFileName(folder)));
    }
}
