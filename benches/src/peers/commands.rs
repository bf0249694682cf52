//! How to install, fill and run each peer.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::{Child, Command};

use crate::{Failure, sqlite_noop::scratch};

/// The versions that are compared.
const PACKAGES: [&str; 2] = ["celery==5.7.0", "dramatiq[rabbitmq]==2.2.1"];

/// Another task queue.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) queue: &'static str,
    /// How many times as fast we want to be.
    pub(super) goal: f64,
    program: PathBuf,
    produce: &'static [&'static str],
    work: &'static [&'static str],
}

/// Every peer that can be had here.
pub(super) async fn peers() -> Vec<Peer> {
    let mut peers = Vec::new();
    match python().await {
        Ok(python) => peers.extend([
            Peer {
                name: "Celery 5.7 prefork, 2 processes",
                queue: "bench.peer.celery",
                goal: 8.0,
                program: python.clone(),
                produce: &["celery_peer.py", "produce"],
                work: &["-m", "celery", "-A", "celery_peer", "worker", "-c", "2", "-l", "ERROR"],
            },
            Peer {
                name: "dramatiq 2, 2 processes of 8 threads",
                queue: "bench.peer.dramatiq",
                goal: 3.0,
                program: python,
                produce: &["dramatiq_peer.py", "produce"],
                work: &["-m", "dramatiq", "dramatiq_peer", "-p", "2", "-t", "8"],
            },
        ]),
        Err(failure) => eprintln!("without the peers in Python: {failure}"),
    }
    match rust().await {
        Ok(program) => peers.push(Peer {
            name: "Rust celery 0.5.5",
            queue: "bench.peer.rust-celery",
            goal: 1.0,
            program,
            produce: &["produce"],
            work: &["work"],
        }),
        Err(failure) => eprintln!("without the peer in Rust: {failure}"),
    }
    peers
}

impl Peer {
    /// Its producer.
    pub(super) fn produce(&self, url: &str, count: u64) -> Command {
        let mut command = self.command(url, self.produce);
        command.arg(count.to_string());
        command
    }

    /// Its worker.
    pub(super) fn work(&self, url: &str) -> Command {
        self.command(url, self.work)
    }

    fn command(&self, url: &str, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .current_dir(sources().join("python"))
            .env("AMQP_URL", url)
            .env("dramatiq_queue_prefetch", "64")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// Ends a worker and the processes that it has started.
pub(super) async fn end(mut worker: Child) -> Result<(), Failure> {
    let pid = worker.id().ok_or("it has ended")?.to_string();
    Command::new("kill").args(["-TERM", &pid]).status().await?;
    if tokio::time::timeout(Duration::from_secs(20), worker.wait()).await.is_err() {
        worker.kill().await?;
    }
    Ok(())
}

fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"))
}

/// `target/`, from `target/release/celeriac-benches`.
fn target() -> Result<PathBuf, Failure> {
    Ok(scratch()?.parent().ok_or("the program is not in a target folder")?.to_owned())
}

/// A Python with both packages.
async fn python() -> Result<PathBuf, Failure> {
    let folder = target()?.join("bench-venv");
    let python = folder.join("bin/python");
    let installed = folder.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|packages| packages == PACKAGES.join(" ")) {
        return Ok(python);
    }
    eprintln!("installing {} into {} ..", PACKAGES.join(" and "), folder.display());
    well(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).await?;
    well(Command::new(&python).args(["-m", "pip", "--quiet", "install"]).args(PACKAGES)).await?;
    std::fs::write(installed, PACKAGES.join(" "))?;
    Ok(python)
}

/// The peer in Rust, a workspace of its own.
async fn rust() -> Result<PathBuf, Failure> {
    let folder = target()?.join("peers");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--locked", "--target-dir"]).arg(&folder);
    well(cargo.current_dir(sources().join("rust-celery"))).await?;
    Ok(folder.join("release/rust-celery-peer"))
}

async fn well(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().await?;
    if status.success() { Ok(()) } else { Err(format!("{:?}: {status}", command.as_std()).into()) }
}
