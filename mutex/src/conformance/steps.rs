//! Steps that many claims take.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::mpsc};

use super::Fixture;
use crate::{
    LockKey, Locks, Owner,
    store::{Answer, Ask, Granted, Hint, LeaseId, LeaseStore, ProcessId, Queueing},
};

/// How long a step may take before its claim fails.
const BOUND: Duration = Duration::from_secs(10);

/// Waits for what is promised; fails where it does not come.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it did not happen within 10 s")
}

/// Waits until so many wait for a lock.
pub(super) async fn until_waiting(locks: &Locks, key: &LockKey, count: usize) {
    soon(async {
        while locks.inspect(key).await.unwrap().map_or(0, |state| state.waiters.len()) != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A process of which only its questions are seen: it renews nothing by itself.
pub(super) struct Bare {
    pub(super) store: Arc<dyn LeaseStore>,
    pub(super) process: ProcessId,
    /// Kept open: a process that hears nothing is passed over.
    pub(super) hints: mpsc::Receiver<Hint>,
    last: u64,
}

impl Bare {
    pub(super) fn new(fixture: &impl Fixture) -> Self {
        let (store, process) = (fixture.store(), ProcessId::random());
        let (sender, hints) = mpsc::channel(64);
        store.open(&process, &Handle::current(), sender);
        Self { store, process, hints, last: 0 }
    }

    pub(super) fn ask(&mut self, key: &LockKey, queueing: Queueing) -> Ask {
        self.last += 1;
        Ask {
            key: key.clone(),
            lease: LeaseId::numbered(&self.process, self.last),
            process: self.process.clone(),
            leases: 1,
            weight: 1,
            ttl: Duration::from_millis(600),
            queueing,
            place: None,
            fair: true,
            owner: Owner::worker("bare"),
        }
    }

    pub(super) async fn granted(&self, ask: &Ask) -> Granted {
        match self.store.acquire(ask).await.unwrap() {
            Answer::Granted(granted) => granted,
            other => panic!("not granted: {other:?}"),
        }
    }

    /// Ends as a killed process does.
    pub(super) async fn die(self) {
        drop(self.hints);
        if !self.store.capabilities().expiring {
            // What the system does to a process's locks when it ends.
            self.store.close(&self.process).await;
        }
    }
}
