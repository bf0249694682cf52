//! Leases in this process's memory: for tests, and for programs of one process.

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::{runtime::Handle, sync::mpsc};

use self::state::State;
use crate::{
    Error, LockKey,
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Release,
        Renewal, Renewed, Severity, Spend, Spent,
    },
};

/// Leases in this process's memory. Clones share them; leases end by time, as in Redis.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LeaseStore for MemoryStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities { expiring: true, shared: false }
    }

    fn open(&self, process: &ProcessId, _: &Handle, hints: mpsc::Sender<Hint>) {
        self.state().processes.insert(process.clone(), hints);
    }

    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error> {
        let fault =
            |stored| Error::Invalid(format!("{} of the {stored} leases of {} cannot be taken", ask.weight, ask.key));
        self.state().with(&ask.key, |lock, line, world| {
            match lock.leases {
                // It would wait for ever.
                Some(stored) if ask.weight > stored => Err(fault(stored)),
                _ => Ok(lock.acquire(line, world, ask).unwrap_or_else(|never| match never {})),
            }
        })
    }

    async fn release(&self, key: &LockKey, lease: &LeaseId, process: &ProcessId) -> Result<Release, Error> {
        Ok(self.state().with(key, |lock, line, world| {
            lock.release(line, world, lease, Some(process)).unwrap_or_else(|never| match never {})
        }))
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        let mut state = self.state();
        let renew = |renewal: &Renewal| {
            state.with(&renewal.ask.key, |lock, line, world| {
                lock.renew(line, world, renewal).unwrap_or_else(|never| match never {})
            })
        };
        Ok(batch.iter().map(renew).collect())
    }

    async fn spend(&self, spend: &Spend) -> Result<Spent, Error> {
        Ok(self.state().spend(spend))
    }

    async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
        self.state().with(key, |lock, line, world| {
            lock.resize(line, world, leases).unwrap_or_else(|never| match never {});
        });
        Ok(())
    }

    async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error> {
        Ok(self.state().list(limit))
    }

    async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error> {
        Ok(self.state().inspect(key))
    }

    async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        Ok(self.state().with(key, |lock, _, world| lock.revoke(world, lease)))
    }

    async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        Ok(self.state().with(key, |lock, line, world| {
            lock.force_release(line, world, lease).unwrap_or_else(|never| match never {})
        }))
    }

    async fn diagnose(&self) -> Result<Vec<Finding>, Error> {
        let text = "leases are in this process's memory: no other process sees them";
        Ok(vec![Finding::new("store", Severity::Warning, text)])
    }

    async fn close(&self, process: &ProcessId) {
        self.state().processes.remove(process);
    }
}
