//! A store in front of which stand gates.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use celeriac_mutex::{
    Error, LockKey, Locks, MemoryStore,
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Renewal,
        Renewed, Spend, Spent,
    },
};
use tokio::{runtime::Handle, sync::mpsc};

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
    /// It does not arrive, and nobody is ever told.
    Never,
}

pub(crate) const GATES: [Gate; 5] = [Gate::Open, Gate::Slow, Gate::Refused, Gate::ReplyLost, Gate::Never];

/// The gates of the three questions that sessions ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gates {
    pub(crate) acquire: Gate,
    pub(crate) renew: Gate,
    pub(crate) release: Gate,
}

pub(crate) const OPEN: Gates = Gates { acquire: Gate::Open, renew: Gate::Open, release: Gate::Open };

#[derive(Debug, Clone)]
pub(crate) struct Gated {
    pub(crate) inner: MemoryStore,
    gates: Arc<Mutex<Gates>>,
    pub(crate) renewals: Arc<AtomicUsize>,
}

impl Gated {
    pub(crate) fn new(gates: Gates) -> Self {
        Self { inner: MemoryStore::new(), gates: Arc::new(Mutex::new(gates)), renewals: Arc::default() }
    }

    pub(crate) fn set(&self, gates: Gates) {
        *self.gates.lock().unwrap() = gates;
    }

    /// A process that goes through the gates; its leases last 500 ms.
    pub(crate) fn locks(&self) -> Locks {
        let patience = Duration::from_millis(300);
        Locks::builder()
            .store(Arc::new(self.clone()))
            .ttl(Duration::from_millis(500))
            .patience(patience)
            .build()
            .unwrap()
    }

    /// A process that does not.
    pub(crate) fn other(&self) -> Locks {
        Locks::builder().store(Arc::new(self.inner.clone())).ttl(Duration::from_millis(500)).build().unwrap()
    }

    async fn through<T>(&self, gate: Gate, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let lost = || Err(Error::Unavailable { address: "gate".to_owned(), message: "no answer".to_owned() });
        match gate {
            Gate::Open => question.await,
            Gate::Slow => {
                let answer = question.await;
                tokio::time::sleep(Duration::from_millis(30)).await;
                answer
            }
            Gate::Refused => lost(),
            Gate::ReplyLost => {
                question.await?;
                lost()
            }
            Gate::Never => std::future::pending().await,
        }
    }

    fn gates(&self) -> Gates {
        *self.gates.lock().unwrap()
    }
}

#[async_trait]
impl LeaseStore for Gated {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open(&self, process: &ProcessId, runtime: &Handle, hints: mpsc::Sender<Hint>) {
        self.inner.open(process, runtime, hints);
    }

    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error> {
        self.through(self.gates().acquire, self.inner.acquire(ask)).await
    }

    async fn release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.through(self.gates().release, self.inner.release(key, lease)).await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.through(self.gates().renew, self.inner.renew(batch)).await
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
