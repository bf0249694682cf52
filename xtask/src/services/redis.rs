use std::path::PathBuf;
use std::process::Command;

use super::process::{Process, Ready};
use super::{Error, Folder, free_port, program};

/// A Redis server of our own, without persistence, killed when dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    process: Process,
    // Dropped after the process that writes to it.
    folder: Folder,
}

impl Redis {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Errors
    /// [`Error::Missing`] where Redis is not installed, [`Error::NotReady`] when it does not start.
    pub fn start() -> Result<Self, Error> {
        let install = "apt-get install -y redis-server (Debian, Ubuntu), brew install redis (macOS)";
        let missing = Error::Missing { program: "redis-server", install };
        let server = program::find("redis-server", &[]).ok_or(missing)?;
        let folder = Folder::create("redis")?;
        let port = free_port()?;
        let mut command = Command::new(server);
        command.current_dir(folder.path()).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        let log = folder.path().join("log");
        let process = Process::start("Redis", &mut command, &log, &Ready::Line("Ready to accept connections"))?;
        Ok(Self { port, process, folder })
    }

    /// `redis://127.0.0.1:<port>/0`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Leaves its data and its log where they are when it ends, and returns their folder.
    pub fn keep_data(&mut self) -> PathBuf {
        self.folder.keep()
    }
}
