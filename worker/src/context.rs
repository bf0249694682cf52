//! What a running task may ask.

use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use celeriac_broker::{Broker, Draft, Error, QueueName, Request, Sent, Task, TaskId};
use tokio::sync::watch;

/// What a running task may ask: its state, its attempt, its time, and whether it should stop. Cheap to clone.
pub struct Context<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    state: Arc<S>,
    broker: Broker,
    queue: QueueName,
    request: Request,
    max_attempts: u32,
    time_limit: Option<Duration>,
    started: tokio::time::Instant,
    cancel: watch::Receiver<Option<CancelReason>>,
}

/// Why a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Its soft limit has passed; clean up and return.
    SoftLimit,
    /// The worker stops within a second; what does not return by then is dropped and given back, no attempt counted.
    Shutdown,
}

/// The soft limit passed before the future was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the soft time limit has passed")]
#[non_exhaustive]
pub struct SoftLimit;

impl<S> Context<S> {
    #[allow(clippy::too_many_arguments, reason = "one argument per field, named at the only call")]
    pub(crate) fn new(
        state: Arc<S>,
        broker: Broker,
        queue: QueueName,
        request: Request,
        max_attempts: u32,
        time_limit: Option<Duration>,
        cancel: watch::Receiver<Option<CancelReason>>,
    ) -> Self {
        let started = tokio::time::Instant::now();
        Self { inner: Arc::new(Inner { state, broker, queue, request, max_attempts, time_limit, started, cancel }) }
    }

    /// The worker's state, built once per process.
    pub fn state(&self) -> &S {
        &self.inner.state
    }

    /// The task's id; the same over all its attempts.
    pub fn id(&self) -> &TaskId {
        &self.inner.request.id
    }

    /// 1 for the first run.
    pub fn attempt(&self) -> u32 {
        self.inner.request.attempt
    }

    /// Whether a failure of this attempt is the last: no attempt is left.
    pub fn is_last_attempt(&self) -> bool {
        self.attempt() >= self.inner.max_attempts
    }

    /// The queue that the message came from.
    pub fn queue(&self) -> &QueueName {
        &self.inner.queue
    }

    /// The message, decoded.
    pub fn request(&self) -> &Request {
        &self.inner.request
    }

    /// When the task's total time is over, where it has one.
    pub fn deadline(&self) -> Option<SystemTime> {
        self.inner.request.deadline
    }

    /// How long until this run is stopped, where it has a hard limit.
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.inner.time_limit?.saturating_sub(self.inner.started.elapsed()))
    }

    /// The broker, for what [`publish`](Self::publish) does not offer.
    pub fn broker(&self) -> &Broker {
        &self.inner.broker
    }

    /// Publishes a child of this task: root and parent ids are kept.
    ///
    /// # Errors
    /// As [`Draft::publish`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have published.
    pub async fn publish<T: Task>(&self, task: T) -> Result<Sent<T>, Error> {
        self.message(task).publish().await
    }

    /// A child of this task, to be published with other options than its own.
    pub fn message<T: Task>(&self, task: T) -> Draft<T> {
        self.inner.broker.message(task).child_of(&self.inner.request)
    }

    /// Resolves when the run should stop, with the reason.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn cancelled(&self) -> CancelReason {
        let mut cancel = self.inner.cancel.clone();
        match cancel.wait_for(Option::is_some).await.ok().and_then(|reason| *reason) {
            Some(reason) => reason,
            // The worker has let go of this run without a reason: nobody will ask it to stop any more.
            None => std::future::pending().await,
        }
    }

    /// Whether the run should stop; for loops that don't await.
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancel.borrow().is_some()
    }

    /// Awaits `future` until the run is asked to stop.
    ///
    /// # Errors
    /// [`SoftLimit`] when it was not done in time; `?` makes that a failed attempt with the reason `soft_limit`.
    ///
    /// # Cancel safety
    /// That of `future`, which is dropped when the time is over.
    pub async fn until_soft_limit<T>(&self, future: impl Future<Output = T>) -> Result<T, SoftLimit> {
        tokio::select! {
            biased;
            value = future => Ok(value),
            _ = self.cancelled() => Err(SoftLimit),
        }
    }
}

impl<S> Clone for Context<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("task", &self.inner.request.task)
            .field("id", self.id())
            .field("queue", self.queue())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}
