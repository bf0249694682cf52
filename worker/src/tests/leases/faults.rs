//! A store that does not answer.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use celeriac_broker::{Outcome, Reason};
use celeriac_mutex::{
    Error, LockKey, Locks, MemoryStore,
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Release,
        Renewal, Renewed, Spend, Spent,
    },
};
use tokio::{runtime::Handle, sync::mpsc};

use super::{harness_on, locked, mutex, rate};

/// A store that fails some times first.
#[derive(Debug)]
struct Moody {
    store: MemoryStore,
    failures: AtomicU32,
    hangs: bool,
}

impl Moody {
    async fn answer(&self) -> Result<(), Error> {
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err() {
            return Ok(());
        }
        if self.hangs {
            pending::<()>().await;
        }
        Err(Error::Unavailable { address: "moody".to_owned(), message: "not today".to_owned() })
    }
}

#[async_trait]
impl LeaseStore for Moody {
    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }
    fn open(&self, process: &ProcessId, runtime: &Handle, hints: mpsc::Sender<Hint>) {
        self.store.open(process, runtime, hints);
    }
    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error> {
        self.answer().await?;
        self.store.acquire(ask).await
    }
    async fn release(&self, key: &LockKey, lease: &LeaseId, process: &ProcessId) -> Result<Release, Error> {
        self.store.release(key, lease, process).await
    }
    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        self.store.renew(batch).await
    }
    async fn spend(&self, spend: &Spend) -> Result<Spent, Error> {
        self.answer().await?;
        self.store.spend(spend).await
    }
    async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
        self.store.resize(key, leases).await
    }
    async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error> {
        self.store.list(limit).await
    }
    async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error> {
        self.store.inspect(key).await
    }
    async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.store.revoke(key, lease).await
    }
    async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.store.force_release(key, lease).await
    }
    async fn diagnose(&self) -> Result<Vec<Finding>, Error> {
        self.store.diagnose().await
    }
    async fn close(&self, process: &ProcessId) {
        self.store.close(process).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_never_runs_without_its_lease_however_its_store_fails() {
    for (hangs, wants) in [(false, [mutex("a")]), (true, [mutex("a")]), (false, [rate("a")]), (true, [rate("a")])] {
        let store = Moody { store: MemoryStore::new(), failures: AtomicU32::new(3), hangs };
        let locks = Locks::builder().store(Arc::new(store)).build().unwrap();
        let rated = wants[0].rate;
        let mut harness = harness_on(locks, move |ctx, _| async move {
            assert_eq!(ctx.attempt(), 1);
            assert!(rated || ctx.lease("m").is_ok());
            Ok(())
        });
        let sent = harness.publish(locked(1, wants)).await.unwrap();
        let report = harness.run_until_idle().await.unwrap();
        let deferred = Outcome::Deferred;
        report.assert_outcomes(&sent.id, &[deferred, deferred, deferred, Outcome::Succeeded]);
        assert!(report.of(&sent.id).take(3).all(|record| record.reason == Reason::LocksUnavailable));
        let after = report.settled_after(&sent.id).unwrap();
        assert!(after < Duration::from_secs(120), "it waits for no answer for ever: {after:?}");
        let delays = report.delays(&sent.id);
        assert!(delays[0] >= Duration::from_millis(500) && delays[2] > delays[0], "{delays:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_run_whose_lock_cannot_be_had_defers_the_task() {
    let store = Moody { store: MemoryStore::new(), failures: AtomicU32::new(2), hangs: false };
    let locks = Locks::builder().store(Arc::new(store)).build().unwrap();
    let mut harness = harness_on(locks, |ctx, _| async move {
        assert_eq!(ctx.attempt(), 1);
        ctx.mutex("part", "a").lock().await?.release().await?;
        Ok(())
    });
    let sent = harness.publish(locked(1, [])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Deferred, Outcome::Deferred, Outcome::Succeeded]);
}
