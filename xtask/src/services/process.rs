//! One server process, and the guardian that sees to its end.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Error;

/// How long a server may take to answer, or to end. Generous: it takes that long only on a machine that is out of breath.
pub(crate) const BOUND: Duration = Duration::from_secs(120);

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    guardian: Child,
}

impl Process {
    /// Starts `command`, appends what it prints to `log`, and waits for `ready`: a line that contains it, or, where it is
    /// [`Ready::Port`], a connection.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path, ready: &Ready) -> Result<Self, Error> {
        let io = |source| Error::io(format!("starting {name}"), source);
        let log_file = File::options().create(true).append(true).open(log).map_err(io)?;
        let errors = log_file.try_clone().map_err(io)?;
        // In a process group of its own, out of the reach of a Ctrl-C that is meant for the tests.
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let mut child = command.spawn().map_err(io)?;
        let guardian = guardian(child.id()).inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        });
        let guardian = guardian.map_err(io)?;
        let stdout = child.stdout.take();
        let mut started = Self { name: name.to_owned(), child, guardian };

        let (line, lines) = mpsc::channel();
        if let Some(stdout) = stdout {
            thread::spawn(move || {
                let mut log_file = log_file;
                for text in BufReader::new(stdout).lines().map_while(Result::ok) {
                    // Both may fail when nobody is interested any more; the pipe has to be drained all the same.
                    let _ = writeln!(log_file, "{text}");
                    let _ = line.send(text);
                }
            });
        }
        let end = Instant::now() + BOUND;
        let problem = match ready {
            Ready::Line(wanted) => loop {
                match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(text) if text.contains(wanted) => return Ok(started),
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout) => break format!("was not ready within {BOUND:?}"),
                    Err(RecvTimeoutError::Disconnected) => break "ended".to_owned(),
                }
            },
            Ready::Port(port) => loop {
                if std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok() {
                    return Ok(started);
                }
                if started.child.try_wait().is_ok_and(|status| status.is_some()) {
                    break "ended".to_owned();
                }
                if Instant::now() > end {
                    break format!("was not ready within {BOUND:?}");
                }
                thread::park_timeout(Duration::from_millis(5));
            },
        };
        started.kill();
        Err(Error::NotReady { service: name.to_owned(), problem, output: tail(&log.to_path_buf()) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        // Both fail only for a process that has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.dismiss_guardian();
    }

    /// Asks it to end and waits; kills it when it does not within [`BOUND`].
    pub(crate) fn stop(&mut self) -> Result<(), Error> {
        let io = |source: std::io::Error| Error::io(format!("stopping {}", self.name), source);
        kill(pid(&self.child), Signal::SIGTERM).map_err(|errno| io(errno.into()))?;
        let end = Instant::now() + BOUND;
        while self.child.try_wait().map_err(io)?.is_none() {
            if Instant::now() > end {
                self.kill();
                let problem = format!("did not end within {BOUND:?} of SIGTERM, and was killed");
                return Err(Error::NotReady { service: self.name.clone(), problem, output: String::new() });
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        self.dismiss_guardian();
        Ok(())
    }

    fn dismiss_guardian(&mut self) {
        let _ = self.guardian.kill();
        let _ = self.guardian.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a server says that it can be used.
#[derive(Debug)]
pub(crate) enum Ready {
    /// It prints a line that contains this.
    Line(&'static str),
    /// It accepts connections on this port.
    Port(u16),
}

/// A shell that waits for the other end of its input to close, which happens however we end, and then kills the server.
fn guardian(pid: u32) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .args(["-c", "read -r _; kill -9 \"$0\""])
        .arg(pid.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// The pid of a child that has not been waited for yet, so that it is still the child's.
pub(crate) fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

fn tail(log: &PathBuf) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
