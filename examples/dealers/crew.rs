//! The worker processes: this same program, started with other arguments. What they share is a folder.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use celeriac::{Locks, mutex, prelude::*};
use tokio::{
    process::Child,
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    journal::Witness,
    tasks::{BuildExports, Company, FetchInventory, ImportData, Recompress},
};

/// How long a lease outlives the last sign of life of its worker. The default of 15 s is for nights that last longer than this one.
pub(crate) const TTL: Duration = Duration::from_secs(3);

/// How long workers may take to finish what they run.
const PATIENCE: Duration = Duration::from_secs(30);

/// The leases at an address. As no lease lasts longer than the others, a Redis that has lost its memory is trusted again after
/// their ttl.
pub(crate) fn leases(at: &str) -> Result<Locks, mutex::Error> {
    Locks::builder().url(at).ttl(TTL).max_ttl(TTL).build()
}

/// What a worker process does, until nobody holds the other end of its stdin any more.
pub(crate) async fn work(folder: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let (dismiss, dismissed) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        drop(dismiss);
    });
    let locks = leases(&env::var("CELERIAC_LOCKS_URL")?)?;
    let worker = Worker::builder()
        .locks(locks.clone())
        .state(|| async move { Company::open(&folder) })
        .middleware(Witness)
        .register::<ImportData>()
        .register::<FetchInventory>()
        .register::<BuildExports>()
        .register::<Recompress>()
        .pool("dealers.imports", Pool::new(8))
        .pool("dealers.inventories", Pool::new(4))
        .pool("dealers.exports", Pool::new(2))
        .pool("dealers.hog", Pool::new(1))
        .build()?;
    worker.run_until(async { drop(dismissed.await) }).await?;
    locks.close().await;
    Ok(())
}

/// The workers of the night.
#[derive(Debug)]
pub(crate) struct Crew {
    folder: PathBuf,
    /// The addresses of the tasks and of the leases.
    tasks_at: String,
    leases_at: String,
    workers: Vec<Child>,
    peaks: Vec<u64>,
}

impl Crew {
    pub(crate) fn new(folder: &Path, tasks_at: &str, leases_at: &str) -> Self {
        let (folder, tasks_at, leases_at) = (folder.to_owned(), tasks_at.to_owned(), leases_at.to_owned());
        Self { folder, tasks_at, leases_at, workers: Vec::new(), peaks: Vec::new() }
    }

    pub(crate) fn hire(&mut self) -> io::Result<()> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("worker").arg(&self.folder);
        command.env("CELERIAC_BROKER_URL", &self.tasks_at).env("CELERIAC_LOCKS_URL", &self.leases_at);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        self.workers.push(tokio::process::Command::from(command).kill_on_drop(true).spawn()?);
        Ok(())
    }

    /// The process ids of those that work.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.workers.iter().filter_map(Child::id).collect()
    }

    /// SIGKILL: no word to anybody. Returns when the process is gone.
    pub(crate) async fn kill(&mut self, pid: u32) -> io::Result<()> {
        self.note_memory();
        if let Some(at) = self.workers.iter().position(|worker| worker.id() == Some(pid)) {
            self.workers.swap_remove(at).kill().await?;
        }
        Ok(())
    }

    /// Lets them finish what they run, and sends them home. Those that do not go are killed, and counted.
    pub(crate) async fn dismiss(&mut self) -> io::Result<usize> {
        self.note_memory();
        let mut stuck = 0;
        let end = Instant::now() + PATIENCE;
        for worker in &mut self.workers {
            drop(worker.stdin.take());
        }
        for mut worker in self.workers.drain(..) {
            if timeout(end - Instant::now(), worker.wait()).await.is_err() {
                stuck += 1;
                worker.kill().await?;
            }
        }
        Ok(stuck)
    }

    /// The most memory that each worker ever had, in MiB; nothing where the system does not tell.
    pub(crate) fn peaks(&self) -> &[u64] {
        &self.peaks
    }

    fn note_memory(&mut self) {
        let peaks: Vec<_> = self.workers.iter().filter_map(Child::id).filter_map(peak_mebibytes).collect();
        self.peaks.extend(peaks);
    }
}

fn peak_mebibytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?;
    Some(kibibytes.parse::<u64>().ok()?.div_ceil(1024))
}
