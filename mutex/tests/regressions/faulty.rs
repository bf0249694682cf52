//! A store behind a network that fails on request.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use celeriac_mutex::{
    Error, LockKey, Locks,
    conformance::Fixture,
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Renewal,
        Renewed, Spend, Spent,
    },
};
use tokio::{runtime::Handle, sync::mpsc};

use crate::bare::TTL;

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Whole,
    /// It does not arrive.
    Down,
    /// It happens, but nobody hears the answer.
    LosesReplies,
    /// Every third answer is lost.
    Flaky,
    /// It does not arrive, and nobody is ever told.
    Silent,
}

#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn LeaseStore>,
    network: Mutex<Network>,
    /// Hints are lost.
    deaf: AtomicBool,
    asked: AtomicUsize,
    pub(crate) renewals: AtomicUsize,
    /// Kept open: it is the hints that are lost, not the process that waits for them.
    lost: Mutex<Vec<mpsc::Receiver<Hint>>>,
}

impl Faulty {
    pub(crate) fn new(fixture: &impl Fixture) -> Arc<Self> {
        Arc::new(Self {
            inner: fixture.store(),
            network: Mutex::new(Network::Whole),
            deaf: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            renewals: AtomicUsize::new(0),
            lost: Mutex::default(),
        })
    }

    pub(crate) fn deaf(self: Arc<Self>) -> Arc<Self> {
        self.deaf.store(true, Ordering::SeqCst);
        self
    }

    pub(crate) fn set(&self, network: Network) {
        *self.network.lock().unwrap() = network;
    }

    /// A process behind it.
    pub(crate) fn locks(self: &Arc<Self>) -> Locks {
        Locks::builder().store(self.clone()).ttl(TTL).build().unwrap()
    }

    async fn over<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let network = *self.network.lock().unwrap();
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let failed = || Err(Error::Unavailable { address: "faulty".to_owned(), message: "no answer".to_owned() });
        match network {
            Network::Down => failed(),
            Network::Silent => std::future::pending().await,
            Network::LosesReplies => {
                question.await?;
                failed()
            }
            Network::Flaky if asked % 3 == 2 => {
                question.await?;
                failed()
            }
            Network::Whole | Network::Flaky => question.await,
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
        self.over(self.inner.acquire(ask)).await
    }

    async fn release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.over(self.inner.release(key, lease)).await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        self.renewals.fetch_add(batch.len(), Ordering::SeqCst);
        self.over(self.inner.renew(batch)).await
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
