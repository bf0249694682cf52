use std::{
    collections::HashSet,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{History, What};

/// What workers are started with.
#[derive(Debug)]
pub(super) struct Kit {
    pub(super) program: PathBuf,
    pub(super) url: String,
    pub(super) folder: PathBuf,
    pub(super) register: SocketAddr,
    pub(super) seed: u64,
    pub(super) ttl: Duration,
}

/// One worker process; killed when dropped.
#[derive(Debug)]
pub(super) struct Worker {
    number: usize,
    life: usize,
    role: &'static str,
    child: Child,
    stopped_until: Option<Instant>,
}

impl Kit {
    pub(super) fn start(&self, number: usize, life: usize, role: &'static str) -> io::Result<Worker> {
        let name = name(role, number, life);
        let child = Command::new(&self.program)
            .arg(&self.url)
            .arg(self.log(&name))
            .arg(self.register.to_string())
            .arg(&name)
            .arg((self.seed + (number * 1000 + life) as u64).to_string())
            .arg(self.ttl.as_millis().to_string())
            .arg(role)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Worker { number, life, role, child, stopped_until: None })
    }

    /// Whether a worker has a lock, by its own word.
    pub(super) fn holds(&self, worker: &Worker) -> bool {
        let text = fs::read_to_string(self.log(&worker.name())).unwrap_or_default();
        let mut holding = HashSet::new();
        for event in History::parse(&text).0 {
            match event.what {
                What::Got { attempt, .. } => holding.insert(attempt),
                What::Ended { attempt } => holding.remove(&attempt),
                _ => false,
            };
        }
        !holding.is_empty()
    }

    fn log(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(format!("{name}.log"))
    }
}

fn name(role: &str, number: usize, life: usize) -> String {
    format!("{role}{number}-{life}")
}

impl Worker {
    pub(super) fn name(&self) -> String {
        name(self.role, self.number, self.life)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped_until.is_some()
    }

    /// Kills it, and starts its successor.
    pub(super) fn replace(&mut self, kit: &Kit) -> io::Result<()> {
        self.end();
        *self = kit.start(self.number, self.life + 1, self.role)?;
        Ok(())
    }

    pub(super) fn stop(&mut self, until: Instant) {
        self.signal(Signal::SIGSTOP);
        self.stopped_until = Some(until);
    }

    /// Lets it go on when its time has come.
    pub(super) fn go_on(&mut self, now: Instant) {
        if self.stopped_until.is_some_and(|until| until <= now) {
            self.signal(Signal::SIGCONT);
            self.stopped_until = None;
        }
    }

    /// Whether it has ended by itself, as none should.
    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    fn signal(&self, signal: Signal) {
        // It is our child and was not waited for: the pid is still its own.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}
