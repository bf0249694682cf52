//! The runs in progress, where others than their own future can reach them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use celeriac_broker::TaskOptions;
use tokio::{sync::Notify, time::Instant};

use crate::{Context, execution::Original, limits::Limits};

/// A delivery that is being run.
pub(crate) struct Job<S> {
    pub(crate) ctx: Context<S>,
    pub(crate) task: &'static str,
    pub(crate) options: TaskOptions,
    pub(crate) limits: Limits,
    pub(crate) started: Instant,
    /// Taken by whoever settles it: its own future, the watchdog, or the worker that stops.
    original: Mutex<Option<Original>>,
}

impl<S> Job<S> {
    pub(crate) fn new(
        ctx: Context<S>,
        task: &'static str,
        options: TaskOptions,
        limits: Limits,
        original: Original,
    ) -> Self {
        Self { ctx, task, options, limits, started: Instant::now(), original: Mutex::new(Some(original)) }
    }

    /// What is left to settle, for the one who asks first.
    pub(crate) fn take(&self) -> Option<Original> {
        self.original.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.original.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// Every run in progress.
pub(crate) struct Running<S> {
    jobs: Mutex<HashMap<u64, Arc<Job<S>>>>,
    sequence: AtomicU64,
    limited: Notify,
    /// Deliveries that take their locks.
    preparing: AtomicU64,
}

impl<S> Running<S> {
    pub(crate) fn new() -> Self {
        Self {
            jobs: Mutex::new(HashMap::new()),
            sequence: AtomicU64::new(0),
            limited: Notify::new(),
            preparing: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Job<S>>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a run; it leaves when the guard is dropped.
    pub(crate) fn enter(&self, job: Arc<Job<S>>) -> RunGuard<'_, S> {
        let key = self.sequence.fetch_add(1, Ordering::Relaxed);
        let limited = job.limits.hard.is_some();
        self.lock().insert(key, job);
        if limited {
            self.limited.notify_one();
        }
        RunGuard { running: self, key }
    }

    /// Enters a delivery that takes its locks and does not run yet; it leaves when the guard is dropped.
    pub(crate) fn prepare(&self) -> PreparingGuard<'_> {
        self.preparing.fetch_add(1, Ordering::Relaxed);
        PreparingGuard(&self.preparing)
    }

    /// Whether nothing runs or is about to.
    pub(crate) fn is_empty(&self) -> bool {
        self.preparing.load(Ordering::Relaxed) == 0 && self.lock().is_empty()
    }

    pub(crate) fn jobs(&self) -> Vec<Arc<Job<S>>> {
        self.lock().values().cloned().collect()
    }
}

impl<S> Running<S> {
    /// Whether a run with a hard limit is in progress.
    pub(crate) fn any_limited(&self) -> bool {
        self.lock().values().any(|job| job.limits.hard.is_some())
    }

    /// Resolves when a run with a hard limit has begun since the last call.
    pub(crate) async fn limited(&self) {
        self.limited.notified().await;
    }
}

/// The presence of a delivery that takes its locks.
pub(crate) struct PreparingGuard<'a>(&'a AtomicU64);

impl Drop for PreparingGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A run's presence in the table.
pub(crate) struct RunGuard<'a, S> {
    running: &'a Running<S>,
    key: u64,
}

impl<S> Drop for RunGuard<'_, S> {
    fn drop(&mut self) {
        self.running.lock().remove(&self.key);
    }
}
