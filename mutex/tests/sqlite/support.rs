use std::{path::PathBuf, time::Duration};

use celeriac_mutex::{
    Kind, LockKey, Locks, Owner,
    store::{Ask, LeaseId, ProcessId, Queueing},
};

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

/// The mutex `m`.
pub(crate) fn m() -> LockKey {
    LockKey::new(Kind::Mutex, "m")
}

/// The question of a new process for the mutex `m`.
pub(crate) fn ask() -> Ask {
    let process = ProcessId::random();
    Ask {
        key: m(),
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
