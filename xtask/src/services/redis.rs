use std::path::PathBuf;
use std::process::Command;

use super::process::{Process, Ready};
use super::{Error, Folder, free_port, program};

/// A Redis server of our own, killed when dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    configuration: Vec<String>,
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
        let mut redis = Self { port, configuration, process: None, folder };
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
        command.current_dir(folder).args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]).args(&self.configuration);
        let ready = Ready::Line("Ready to accept connections");
        self.process = Some(Process::start("Redis", &mut command, &folder.join("log"), &ready)?);
        Ok(())
    }

    /// Kills the server with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// `redis://127.0.0.1:<port>/0`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
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
