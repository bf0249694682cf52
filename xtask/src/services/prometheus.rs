use std::path::PathBuf;
use std::process::Command;

use super::process::{Process, Ready};
use super::{Error, Folder, free_port, program};

const INSTALL: &str = "apt-get install -y prometheus (Debian, Ubuntu), brew install prometheus (macOS)";

/// A Prometheus of our own, killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    _process: Process,
    // Dropped after the process that writes to it.
    folder: Folder,
}

impl Prometheus {
    /// Starts it with this configuration, in which `rule_files` have absolute paths, and waits until it answers queries.
    ///
    /// # Errors
    /// [`Error::Missing`] where Prometheus is not installed, [`Error::NotReady`] when it does not start.
    pub fn start(configuration: &str) -> Result<Self, Error> {
        let server =
            program::find("prometheus", &[]).ok_or(Error::Missing { program: "prometheus", install: INSTALL })?;
        let (folder, port) = (Folder::create("prometheus")?, free_port()?);
        let file = folder.write("prometheus.yml", configuration)?;
        // It says on stderr that it is ready; only lines of stdout are waited for.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(server);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let ready = Ready::Line("Server is ready to receive web requests");
        let process = Process::start("Prometheus", &mut command, &folder.path().join("log"), &ready)?;
        Ok(Self { port, _process: process, folder })
    }

    /// `promtool`, which checks rules and metrics.
    ///
    /// # Errors
    /// [`Error::Missing`] where Prometheus is not installed.
    pub fn tool() -> Result<Command, Error> {
        let tool = program::find("promtool", &[]).ok_or(Error::Missing { program: "promtool", install: INSTALL })?;
        Ok(Command::new(tool))
    }

    /// The port of its HTTP API on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Leaves its data and its log where they are when it ends, and returns their folder.
    pub fn keep_data(&mut self) -> PathBuf {
        self.folder.keep()
    }
}
