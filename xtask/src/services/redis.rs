use std::path::PathBuf;
use std::process::Command;

use super::process::{Process, Ready};
use super::{Error, Folder, free_port, program};

/// The last of a server's words, with two more behind it.
const REPLICA_OF: &str = "--replicaof";

/// A Redis server of our own, killed when dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    configuration: Vec<String>,
    /// A sentinel keeps its own configuration up to date, in this file.
    sentinel: Option<PathBuf>,
    process: Option<Process>,
    // Dropped after the process that writes to it.
    folder: Folder,
}

impl Redis {
    /// Starts a server without persistence and waits until it accepts connections.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(&[])
    }

    /// The same with more configuration, such as `["--appendonly", "yes"]`.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start_with(configuration: &[&str]) -> Result<Self, Error> {
        let configuration = configuration.iter().map(|&word| word.to_owned()).collect();
        let (folder, port) = (Folder::create("redis")?, free_port()?);
        let mut redis = Self { port, configuration, sentinel: None, process: None, folder };
        redis.start_again()?;
        Ok(redis)
    }

    /// Starts a replica of `primary`.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start_replica(primary: &Self) -> Result<Self, Error> {
        Self::start_with(&[REPLICA_OF, "127.0.0.1", &primary.port.to_string()])
    }

    /// Starts a sentinel that watches the server `primary` under that name, and puts a replica in its place half a second after it has
    /// fallen silent.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start_sentinel(primary: &Self) -> Result<Self, Error> {
        let (folder, port) = (Folder::create("sentinel")?, free_port()?);
        let configuration = format!(
            "bind 127.0.0.1\nport {port}\nsentinel monitor primary 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds primary 500\nsentinel failover-timeout primary 3000\n",
            primary.port
        );
        let sentinel = Some(folder.write("sentinel.conf", &configuration)?);
        let mut redis = Self { port, configuration: Vec::new(), sentinel, process: None, folder };
        redis.start_again()?;
        Ok(redis)
    }

    /// Starts the server once more on the same port and the same data, after [`kill`](Self::kill). Does nothing while it runs.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.process.is_some() {
            return Ok(());
        }
        let install = "apt-get install -y redis-server (Debian, Ubuntu), brew install redis (macOS)";
        let missing = Error::Missing { program: "redis-server", install };
        let server = program::find("redis-server", &[]).ok_or(missing)?;
        let folder = self.folder.path();
        let mut command = Command::new(server);
        command.current_dir(folder);
        let ready = if let Some(configuration) = &self.sentinel {
            command.arg(configuration).arg("--sentinel");
            Ready::Port(self.port)
        } else {
            command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
            command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
            // Otherwise a replica waits five seconds for others that may come too.
            command.args(["--repl-diskless-sync-delay", "0"]).args(&self.configuration);
            Ready::Line("Ready to accept connections")
        };
        self.process = Some(Process::start("Redis", &mut command, &folder.join("log"), &ready)?);
        Ok(())
    }

    /// Starts the server once more, after [`kill`](Self::kill), as a replica of `primary`, whatever it was before.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start_again_as_replica_of(&mut self, primary: u16) -> Result<(), Error> {
        let own = self.configuration.iter().position(|word| word == REPLICA_OF).unwrap_or(self.configuration.len());
        self.configuration.truncate(own);
        self.configuration.extend([REPLICA_OF.to_owned(), "127.0.0.1".to_owned(), primary.to_string()]);
        self.start_again()
    }

    /// Kills the server with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// `redis://127.0.0.1:<port>/0`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The port, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Leaves its data and its log where they are when it ends, and returns their folder.
    pub fn keep_data(&mut self) -> PathBuf {
        self.folder.keep()
    }
}
