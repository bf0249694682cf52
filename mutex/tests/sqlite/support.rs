use std::{path::PathBuf, time::Duration};

use celeriac_mutex::{
    Kind, LockKey, Locks, Owner,
    store::{Ask, LeaseId, ProcessId, Queueing},
};
use tokio::time::timeout;

/// Longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with one database, gone at the end.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("locks.db")
    }

    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("locks.db{suffix}"))
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.file().display())
    }

    /// One more process, as far as the file can tell.
    pub(crate) fn open(&self) -> Locks {
        Locks::from_url(&self.url()).unwrap()
    }

    /// How many processes have a sign of life, or have left one.
    pub(crate) fn signs(&self) -> usize {
        std::fs::read_dir(self.beside("-locks")).unwrap().count()
    }
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it happens")
}

/// Waits until so many wait for the mutex `name`.
pub(crate) async fn until_waiting(locks: &Locks, name: &str, count: usize) {
    let key = LockKey::new(Kind::Mutex, name);
    soon(async {
        while locks.inspect(&key).await.unwrap().map_or(0, |state| state.waiters.len()) != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The question of a new process for the mutex `m`.
pub(crate) fn ask() -> Ask {
    let process = ProcessId::random();
    Ask {
        key: LockKey::new(Kind::Mutex, "m"),
        lease: LeaseId::numbered(&process, 1),
        process,
        leases: 1,
        weight: 1,
        ttl: Duration::from_secs(15),
        queueing: Queueing::No,
        place: None,
        fair: true,
        owner: Owner::worker("w"),
    }
}
