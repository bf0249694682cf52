//! A process that does only what it is told: it renews nothing by itself.

use std::{sync::Arc, time::Duration};

use celeriac_mutex::{
    FencingToken, LockKey, Locks, Owner,
    conformance::Fixture,
    store::{Answer, Ask, Granted, Hint, LeaseId, LeaseStore, ProcessId, Queueing, Renewal, Renewed},
};
use tokio::{runtime::Handle, sync::mpsc};

/// How long the leases of these tests last.
pub(crate) const TTL: Duration = Duration::from_millis(600);

/// Waits for what is promised; fails where it does not come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    within(Duration::from_secs(10), future).await
}

pub(crate) async fn within<T>(bound: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(bound, future).await.unwrap_or_else(|_| panic!("it did not happen within {bound:?}"))
}

/// Waits until so many wait for a lock.
pub(crate) async fn until_waiting(locks: &Locks, key: &LockKey, count: usize) {
    soon(async {
        while locks.inspect(key).await.unwrap().map_or(0, |state| state.waiters.len()) != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) struct Bare {
    pub(crate) store: Arc<dyn LeaseStore>,
    process: ProcessId,
    pub(crate) hints: mpsc::Receiver<Hint>,
    last: u64,
}

impl Bare {
    pub(crate) fn new(fixture: &impl Fixture) -> Self {
        let (store, process) = (fixture.store(), ProcessId::random());
        let (sender, hints) = mpsc::channel(64);
        store.open(&process, &Handle::current(), sender);
        Self { store, process, hints, last: 0 }
    }

    pub(crate) fn ask(&mut self, key: &LockKey, leases: u32, queueing: Queueing) -> Arc<Ask> {
        self.last += 1;
        Arc::new(Ask {
            key: key.clone(),
            lease: LeaseId::numbered(&self.process, self.last),
            process: self.process.clone(),
            leases,
            weight: 1,
            ttl: TTL,
            queueing,
            place: None,
            fair: true,
            owner: Owner::worker("bare"),
        })
    }

    pub(crate) async fn granted(&self, ask: &Ask) -> Granted {
        match self.store.acquire(ask).await.unwrap() {
            Answer::Granted(granted) => granted,
            other => panic!("not granted: {other:?}"),
        }
    }

    pub(crate) async fn renew(&self, ask: &Arc<Ask>, fence: Option<FencingToken>, reassert: bool) -> Renewed {
        let renewal = Renewal { ask: ask.clone(), fence, reassert };
        self.store.renew(&[renewal]).await.unwrap().remove(0)
    }

    /// Ends as a killed process does.
    pub(crate) async fn die(self) {
        drop(self.hints);
        if !self.store.capabilities().expiring {
            // What the system does to a process's locks when it ends.
            self.store.close(&self.process).await;
        }
    }
}
