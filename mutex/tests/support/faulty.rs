//! A store behind a network that fails on request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use celeriac_mutex::{
    Error, LockKey, Locks, LocksBuilder,
    conformance::{TTL, steps::soon},
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Release,
        Renewal, Renewed, Spend, Spent,
    },
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It is answered.
    Open,
    /// It is answered after a while, and had happened before.
    Slow,
    /// It does not arrive, and its asker is told so.
    Refused,
    /// It happens, but the answer is lost.
    ReplyLost,
    /// So it is with every third question; the others are answered.
    Flaky,
    /// It is asked twice, as by a store whose connection was cut before the answer came, and the second answer is heard.
    Repeated,
    /// It does not arrive, and nobody is ever told.
    Never,
}

/// The gates before the three questions that processes ask by themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gates {
    pub(crate) acquire: Gate,
    pub(crate) renew: Gate,
    pub(crate) release: Gate,
}

pub(crate) const OPEN: Gates = Gates::all(Gate::Open);

impl Gates {
    pub(crate) const fn all(gate: Gate) -> Self {
        Self { acquire: gate, renew: gate, release: gate }
    }
}

/// What has been asked, whatever became of it.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) acquisitions: u64,
    pub(crate) releases: u64,
    /// Batches of renewals.
    pub(crate) batches: u64,
    renewals: HashMap<LeaseId, u64>,
    all: u64,
}

impl Asked {
    /// How often the renewal of a lease was asked for.
    pub(crate) fn renewals(&self, lease: &LeaseId) -> u64 {
        self.renewals.get(lease).copied().unwrap_or_default()
    }
}

#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn LeaseStore>,
    gates: Mutex<Gates>,
    /// Hints are lost.
    deaf: AtomicBool,
    asked: watch::Sender<Asked>,
    /// Kept open: it is the hints that are lost, not the process that waits for them.
    lost: Mutex<Vec<mpsc::Receiver<Hint>>>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn LeaseStore>, gates: Gates) -> Arc<Self> {
        let (gates, deaf, lost) = (Mutex::new(gates), AtomicBool::new(false), Mutex::default());
        Arc::new(Self { inner, gates, deaf, asked: watch::Sender::default(), lost })
    }

    /// From now on, processes that open it hear nothing.
    pub(crate) fn deaf(self: Arc<Self>) -> Arc<Self> {
        self.deaf.store(true, Ordering::SeqCst);
        self
    }

    pub(crate) fn set(&self, gates: Gates) {
        *self.gates.lock().unwrap() = gates;
    }

    /// A process behind it.
    pub(crate) fn process(self: &Arc<Self>) -> LocksBuilder {
        Locks::builder().store(self.clone()).ttl(TTL)
    }

    /// The same.
    pub(crate) fn locks(self: &Arc<Self>) -> Locks {
        self.process().build().unwrap()
    }

    /// A process past the gates.
    pub(crate) fn other(&self) -> Locks {
        Locks::builder().store(self.inner.clone()).ttl(TTL).build().unwrap()
    }

    /// Waits until what has been asked so far is as `wanted`, and returns what that function made of it.
    pub(crate) async fn until<T>(&self, mut wanted: impl FnMut(&Asked) -> Option<T>) -> T {
        let (mut asked, mut found) = (self.asked.subscribe(), None);
        let waiting = asked.wait_for(|asked| {
            found = wanted(asked);
            found.is_some()
        });
        soon(waiting).await.unwrap();
        found.unwrap()
    }

    /// Waits until a lease was renewed so many times more. At once where leases do not end by time: nothing is renewed there.
    pub(crate) async fn until_renewed(&self, lease: &LeaseId, times: u64) {
        if self.capabilities().expiring {
            let before = self.renewals(lease);
            self.until(|asked| (asked.renewals(lease) >= before + times).then_some(())).await;
        }
    }

    pub(crate) fn renewals(&self, lease: &LeaseId) -> u64 {
        self.asked.borrow().renewals(lease)
    }

    pub(crate) fn releases(&self) -> u64 {
        self.asked.borrow().releases
    }

    pub(crate) fn batches(&self) -> u64 {
        self.asked.borrow().batches
    }

    async fn through<T, Q: Future<Output = Result<T, Error>>>(
        &self,
        gate: fn(&Gates) -> Gate,
        count: impl FnOnce(&mut Asked),
        question: impl Fn() -> Q,
    ) -> Result<T, Error> {
        let gate = gate(&self.gates.lock().unwrap());
        let mut third = false;
        self.asked.send_modify(|asked| {
            third = asked.all % 3 == 2;
            asked.all += 1;
            count(asked);
        });
        let lost = || Err(Error::Unavailable { address: "faulty".to_owned(), message: "no answer".to_owned() });
        match gate {
            Gate::Slow => {
                let answer = question().await;
                // The slowness itself.
                tokio::time::sleep(Duration::from_millis(30)).await;
                answer
            }
            Gate::Refused => lost(),
            Gate::ReplyLost => {
                question().await?;
                lost()
            }
            Gate::Flaky if third => {
                question().await?;
                lost()
            }
            Gate::Repeated => {
                question().await?;
                question().await
            }
            Gate::Never => std::future::pending().await,
            Gate::Open | Gate::Flaky => question().await,
        }
    }
}

#[async_trait]
impl LeaseStore for Faulty {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, process: &ProcessId, runtime: &Handle, hints: mpsc::Sender<Hint>) {
        if self.deaf.load(Ordering::SeqCst) {
            let (instead, lost) = mpsc::channel(1);
            self.lost.lock().unwrap().push(lost);
            self.inner.open(process, runtime, instead);
        } else {
            self.inner.open(process, runtime, hints);
        }
    }

    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error> {
        self.through(|gates| gates.acquire, |asked| asked.acquisitions += 1, || self.inner.acquire(ask)).await
    }

    async fn release(&self, key: &LockKey, lease: &LeaseId, process: &ProcessId) -> Result<Release, Error> {
        self.through(|gates| gates.release, |asked| asked.releases += 1, || self.inner.release(key, lease, process))
            .await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        let count = |asked: &mut Asked| {
            asked.batches += 1;
            for renewal in batch {
                *asked.renewals.entry(renewal.ask.lease.clone()).or_default() += 1;
            }
        };
        self.through(|gates| gates.renew, count, || self.inner.renew(batch)).await
    }

    async fn spend(&self, spend: &Spend) -> Result<Spent, Error> {
        self.inner.spend(spend).await
    }

    async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
        self.inner.resize(key, leases).await
    }

    async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error> {
        self.inner.list(limit).await
    }

    async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error> {
        self.inner.inspect(key).await
    }

    async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.inner.revoke(key, lease).await
    }

    async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.inner.force_release(key, lease).await
    }

    async fn diagnose(&self) -> Result<Vec<Finding>, Error> {
        self.inner.diagnose().await
    }

    async fn close(&self, process: &ProcessId) {
        self.inner.close(process).await;
    }
}
