use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use super::process::{Process, Ready};
use super::{Error, Folder, free_port, program};

/// Where packages keep RabbitMQ's own scripts. Debian's `/usr/sbin/rabbitmq-server` is no use: it changes to the user
/// `rabbitmq`, who may not write under `target/`.
const SCRIPTS: [&str; 3] = ["/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin"];

/// The environment variable that names a folder with RabbitMQ's scripts, for tests on another version than the installed one.
pub const RABBITMQ_SCRIPTS: &str = "CELERIAC_TEST_RABBITMQ_SCRIPTS";

const INSTALL: &str = "apt-get install -y rabbitmq-server (Debian, Ubuntu), brew install rabbitmq (macOS)";

/// Flags of every Erlang VM that the scripts start. AMQP is not all that listens, hence the interface. Schedulers that spin
/// while they wait take the core that a test needs. The only epmd is ours: one that a VM starts outlives everybody.
///
/// And the process: before Khepri (4.2) the server holds declarations back for up to two seconds after it has answered them,
/// so that a queue declared just before a SIGKILL may be forgotten. On request, which is a file, it writes them down, so that
/// a test which kills the server learns about messages, and not about that.
const ERLANG: &str = "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} \
    +sbwt none +sbwtdcpu none +sbwtdio none \
    -eval 'spawn(fun Loop() -> timer:sleep(5), case filelib:is_file(\"write-down\") of \
        true -> catch disk_log:sync(latest_log), file:delete(\"write-down\"); \
        false -> ok end, Loop() end)'";

/// What operators are told to set, so that the tests run with it.
const ADVANCED: &str = include_str!("../../../grafana/rabbitmq-advanced.config");

/// A RabbitMQ server of our own, with a node name, ports, an epmd and a data folder that nobody else uses, all of it on
/// 127.0.0.1. Killed when dropped.
#[derive(Debug)]
pub struct Rabbit {
    amqp: u16,
    distribution: u16,
    management: Option<u16>,
    node: String,
    server: Option<Process>,
    epmd: Process,
    epmd_port: u16,
    folder: Folder,
}

/// What a [`Rabbit`] is to have besides AMQP.
#[derive(Debug, Default, Clone)]
#[non_exhaustive]
pub struct RabbitOptions {
    /// The management plugin. Its start takes some seconds more.
    pub management: bool,
    /// Lines of `rabbitmq.conf`.
    pub configuration: String,
}

impl RabbitOptions {
    /// Asks for the management plugin.
    pub fn management(mut self) -> Self {
        self.management = true;
        self
    }

    /// Adds lines to `rabbitmq.conf`.
    pub fn configuration(mut self, lines: &str) -> Self {
        self.configuration.push_str(lines);
        self.configuration.push('\n');
        self
    }
}

impl Rabbit {
    /// Starts a server and waits until it accepts connections: about five seconds.
    ///
    /// # Errors
    /// [`Error::Missing`] where RabbitMQ is not installed, [`Error::NotReady`] when it does not start.
    pub fn start(options: &RabbitOptions) -> Result<Self, Error> {
        let epmd = program::find("epmd", &[]).ok_or(Error::Missing { program: "epmd", install: INSTALL })?;
        let folder = Folder::create("rabbitmq")?;
        let management = if options.management { Some(free_port()?) } else { None };
        let (plugins, listener) = match management {
            Some(port) => {
                ("[rabbitmq_management].", format!("management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {port}\n"))
            }
            None => ("[].", String::new()),
        };
        folder.write("enabled_plugins", plugins)?;
        folder.write("advanced.config", ADVANCED)?;
        folder.write("rabbitmq.conf", &format!("log.console.level = info\n{listener}{}", options.configuration))?;

        let epmd_port = free_port()?;
        let mut command = Command::new(epmd);
        command.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let epmd = Process::start("epmd", &mut command, &folder.path().join("epmd.log"), &Ready::Port(epmd_port))?;
        let (amqp, distribution) = (free_port()?, free_port()?);
        let node = format!("celeriac-{amqp}@localhost");
        let mut rabbit = Self { amqp, distribution, management, node, server: None, epmd, epmd_port, folder };
        rabbit.start_again()?;
        Ok(rabbit)
    }

    /// Starts the server once more on the same ports and the same data, after [`kill`](Self::kill) or
    /// [`stop`](Self::stop). Does nothing while it runs.
    ///
    /// # Errors
    /// [`Error::NotReady`] when it does not start.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.server.is_none() {
            let mut command = self.command("rabbitmq-server")?;
            let log = self.folder.path().join("log");
            let ready = Ready::Line("Server startup complete");
            self.server = Some(Process::start("RabbitMQ", &mut command, &log, &ready)?);
        }
        Ok(())
    }

    /// Kills the server with SIGKILL, and waits until it is gone. What has been declared before is on its disk, as what has been
    /// confirmed is.
    pub fn kill(&mut self) {
        self.write_down_declarations();
        self.server = None;
    }

    fn write_down_declarations(&self) {
        let end = Instant::now() + Duration::from_secs(1);
        let Ok(request) = self.folder.write("write-down", "") else { return };
        // A server that hangs does not answer; it is killed all the same.
        while self.server.is_some() && request.exists() && Instant::now() < end {
            thread::park_timeout(Duration::from_millis(1));
        }
        let _ = fs::remove_file(request);
    }

    /// Ends the server with SIGTERM, and waits until it is gone.
    ///
    /// # Errors
    /// [`Error::NotReady`] when it had to be killed.
    pub fn stop(&mut self) -> Result<(), Error> {
        match self.server.take() {
            Some(mut server) => server.stop(),
            None => Ok(()),
        }
    }

    /// `amqp://guest:guest@127.0.0.1:<port>/%2f`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.amqp)
    }

    /// The AMQP port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.amqp
    }

    /// `http://guest:guest@127.0.0.1:<port>`, where the management plugin was asked for.
    pub fn management_url(&self) -> Option<String> {
        self.management.map(|port| format!("http://guest:guest@127.0.0.1:{port}"))
    }

    /// The server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Process::pid)
    }

    /// The process id of the port mapper that came with the server.
    pub fn epmd_pid(&self) -> u32 {
        self.epmd.pid()
    }

    /// Leaves its data and its log where they are when it ends, and returns their folder.
    pub fn keep_data(&mut self) -> PathBuf {
        self.folder.keep()
    }

    /// A command that runs `rabbitmqctl` on this server; takes about a second.
    ///
    /// # Errors
    /// [`Error::Missing`] where RabbitMQ has been removed since.
    pub fn ctl_command(&self) -> Result<Command, Error> {
        let mut command = self.command("rabbitmqctl")?;
        command.args(["--quiet", "--node", &self.node]);
        Ok(command)
    }

    /// Runs `rabbitmqctl` on this server and returns what it prints.
    ///
    /// # Errors
    /// [`Error::Command`] when it fails.
    pub fn ctl(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = self.ctl_command()?;
        let described = || format!("rabbitmqctl {}", arguments.join(" "));
        let output = command.args(arguments).output().map_err(|source| Error::io(described(), source))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(Error::Command { command: described(), output: text(&output.stderr) + &text(&output.stdout) })
        }
    }

    fn command(&self, script: &'static str) -> Result<Command, Error> {
        let given = env::var(RABBITMQ_SCRIPTS).map(|folder| PathBuf::from(folder).join(script)).ok();
        let path = given.or_else(|| program::find(script, &SCRIPTS));
        let path = path.ok_or(Error::Missing { program: script, install: INSTALL })?;
        let folder = self.folder.path();
        let within = |name: &str| -> PathBuf { folder.join(name) };
        let mut command = Command::new(path);
        command
            .current_dir(folder)
            // The Erlang cookie is kept there.
            .env("HOME", folder)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            // Has the script become the server, instead of a shell that waits for it: our child is the server itself.
            .env("RUNNING_UNDER_SYSTEMD", "1")
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", within("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", within("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", within("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", within("generated"))
            .env("RABBITMQ_PLUGINS_EXPAND_DIR", within("plugins"))
            .env("RABBITMQ_MNESIA_BASE", within("data"))
            .env("RABBITMQ_LOG_BASE", within("logs"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.amqp.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string());
        command.env("ERL_AFLAGS", ERLANG);
        Ok(command)
    }
}
