//! Steps that many claims take, and an implementer's own tests may.

use std::{panic::Location, sync::Arc, time::Duration};

use tokio::{
    runtime::Handle,
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{Fixture, TTL};
use crate::{
    FencingToken, LockKey, Locks, Owner,
    store::{Answer, Ask, Granted, Hint, LeaseId, LeaseStore, ProcessId, Queueing, Release, Renewal, Renewed},
};

/// How long a step may take before its claim fails: long, so that a machine out of breath fails none.
pub const BOUND: Duration = Duration::from_secs(30);

/// Waits for what is promised, for at most `bound`.
///
/// # Panics
/// Where it does not come.
#[track_caller]
pub fn within<T>(bound: Duration, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let came = timeout(bound, future).await;
        came.unwrap_or_else(|_| panic!("what {caller} awaits did not happen within {bound:?}"))
    }
}

/// Waits for what is promised, for at most [`BOUND`].
///
/// # Panics
/// Where it does not come.
#[track_caller]
pub fn soon<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    within(BOUND, future)
}

/// Asks again and again until the answer is `Some`, for at most [`BOUND`]: for what nobody signals, such as the state of a store.
///
/// # Panics
/// Where it does not come.
#[track_caller]
pub fn eventually<T, F>(mut ask: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let caller = Location::caller();
    async move {
        let end = Instant::now() + BOUND;
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(Instant::now() < end, "what {caller} waits for did not come within {BOUND:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Waits until so many wait for a lock.
///
/// # Panics
/// Where they do not come, and where the store does not answer.
#[track_caller]
pub fn until_waiting(locks: &Locks, key: &LockKey, count: usize) -> impl Future<Output = ()> {
    eventually(move || async move {
        let waiting = locks.inspect(key).await.unwrap().map_or(0, |state| state.waiters.len());
        (waiting == count).then_some(())
    })
}

/// A process of which only its questions are seen: it renews nothing by itself.
#[derive(Debug)]
pub struct Bare {
    /// What it asks.
    pub store: Arc<dyn LeaseStore>,
    /// What it is told. Kept open: a process that hears nothing is passed over.
    pub hints: mpsc::Receiver<Hint>,
    process: ProcessId,
    last: u64,
}

impl Bare {
    /// One more process.
    pub fn new(fixture: &impl Fixture) -> Self {
        let (store, process) = (fixture.store(), ProcessId::random());
        let (sender, hints) = mpsc::channel(64);
        store.open(&process, &Handle::current(), sender);
        Self { store, hints, process, last: 0 }
    }

    /// Its next question, for one of `leases`.
    pub fn ask(&mut self, key: &LockKey, leases: u32, queueing: Queueing) -> Arc<Ask> {
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

    /// Asks, and is granted what it asks for.
    ///
    /// # Panics
    /// Where it is not.
    pub async fn granted(&self, ask: &Ask) -> Granted {
        match self.store.acquire(ask).await.unwrap() {
            Answer::Granted(granted) => granted,
            other => panic!("not granted: {other:?}"),
        }
    }

    /// Renews what it holds by `fence`, or waits for without one.
    pub async fn renew(&self, ask: &Arc<Ask>, fence: Option<FencingToken>, reassert: bool) -> Renewed {
        let renewal = Renewal { ask: ask.clone(), fence, reassert };
        self.store.renew(&[renewal]).await.unwrap().remove(0)
    }

    /// Gives back what it holds, or leaves the line.
    ///
    /// # Panics
    /// Where the store does not answer.
    pub async fn release(&self, ask: &Ask) -> Release {
        self.store.release(&ask.key, &ask.lease, &self.process).await.unwrap()
    }

    /// Ends as a killed process does.
    pub async fn die(self) {
        drop(self.hints);
        if !self.store.capabilities().expiring {
            // What the system does to a process's locks when it ends.
            self.store.close(&self.process).await;
        }
    }
}
