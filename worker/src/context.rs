//! What a running task may ask.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use celeriac_broker::{Broker, Draft, Error, QueueName, Request, Sent, Task, TaskError, TaskId, message::Tags};
use celeriac_mutex::{FencingToken, IntoKey, Lease};
use tokio::sync::watch;
use tracing::Span;

use crate::{
    execution::tag,
    leases::{Hold, TaskMutex, TaskSemaphore},
};

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
    hold: Hold,
    span: Span,
    tags: Mutex<Tags>,
}

/// Why a run is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Its soft limit has passed; clean up and return.
    SoftLimit,
    /// The worker stops within a second; what does not return by then is dropped and given back, no attempt counted.
    Shutdown,
    /// An operator wants one of its leases for somebody else. It is held until the run returns or is stopped; an error, or a deferral,
    /// puts the task off without counting an attempt.
    Revoked,
    /// It was stopped: its hard limit passed, a lease was lost, or the worker could wait no longer. Its future is dropped, so only
    /// what it has left behind sees this: a thread of `spawn_blocking`, a future that it spawned.
    Stopped,
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
        hold: Hold,
        span: Span,
        tags: Tags,
    ) -> Self {
        let inner = Inner {
            state,
            broker,
            queue,
            request,
            max_attempts,
            time_limit,
            started: tokio::time::Instant::now(),
            cancel,
            hold,
            span,
            tags: Mutex::new(tags),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The worker's state, built once per process.
    pub fn state(&self) -> &S {
        &self.inner.state
    }

    /// The process that runs it, as its log lines say and as a lock's holder is shown: `host:pid`.
    pub fn worker(&self) -> &'static str {
        crate::identity::worker()
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
        self.inner.broker.message(task).child_of(&self.inner.request).fences(self.inner.hold.fences())
    }

    /// The lease of one of the task's locks, by the name that the lock has or by its arguments: `"dms"`, `"account_id"`,
    /// `"account_id,region"`, `"mutex"` for one of the whole task; or by its address.
    ///
    /// # Errors
    /// A permanent one where the run holds no such lease: also where an argument of its key is `None`.
    pub fn lease(&self, name: &str) -> Result<&Lease, TaskError> {
        self.inner.hold.lease(name).ok_or_else(|| {
            let held = self.inner.hold.names();
            let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
            TaskError::permanent(TaskError::new(format!("this run holds no lease called {name:?}; it holds {held}")))
        })
    }

    /// A mutex for a part of the run. `?` on a busy one defers the task:
    ///
    /// ```
    /// # use celeriac_broker::TaskError;
    /// # use celeriac_worker::Context;
    /// # async fn example(ctx: Context<()>, file: &str) -> Result<(), TaskError> {
    /// let lease = ctx.mutex("file", file).lock().await?;
    /// // ..
    /// lease.release().await?;
    /// # Ok(()) }
    /// ```
    pub fn mutex(&self, name: &str, key: impl IntoKey) -> TaskMutex<'_> {
        TaskMutex::new(&self.inner.hold, &self.inner.request, name, key.into_parts())
    }

    /// A semaphore for a part of the run; `ctx.semaphore("dms", dealer).acquire().await?`, as with [`mutex`](Self::mutex).
    ///
    /// How many leases it has is what the tasks of this worker say that name it; elsewhere, say it with
    /// [`leases`](TaskSemaphore::leases).
    pub fn semaphore(&self, name: &str, key: impl IntoKey) -> TaskSemaphore<'_> {
        TaskSemaphore::new(&self.inner.hold, &self.inner.request, name, key.into_parts())
    }

    /// The fencing token of a lease under which the task was published, by its lock's address, such as `mutex:invoice:42`.
    ///
    /// The lease may have ended since: whether that matters is for the resource to say, by the token.
    pub fn parent_fence(&self, address: &str) -> Option<FencingToken> {
        let fences = &self.inner.request.fences;
        fences.iter().find(|(lock, _)| lock == address).map(|(_, token)| FencingToken::new(*token))
    }

    /// Tags the run: every later line that it logs says `key=value`, and so do its outcome, its span and its report.
    ///
    /// The tags of a run are those of its message, of its arguments (`#[task(tags(..))]`), and these; a later one takes the
    /// place of an earlier one of the same key. [`Tags`] says how many there can be, and how long.
    pub fn tag(&self, key: &str, value: impl fmt::Display) {
        let mut tags = self.inner.tags.lock().unwrap_or_else(PoisonError::into_inner);
        if tags.set(key, Some(&value.to_string())) {
            tag(&self.inner.span, &tags);
        }
    }

    /// What the run is tagged with.
    pub fn tags(&self) -> Tags {
        self.inner.tags.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The run's span, `celeriac.run`, which its handler is in.
    ///
    /// A future that the handler spawns, and a thread that it starts, are in none: what they log says nothing of the task unless
    /// they enter it.
    ///
    /// ```
    /// # use celeriac_broker::TaskError;
    /// # use celeriac_worker::Context;
    /// # async fn example(ctx: Context<()>) -> Result<(), TaskError> {
    /// let span = ctx.span().clone();
    /// tokio::task::spawn_blocking(move || span.in_scope(|| tracing::info!("says of which task"))).await?;
    /// # Ok(()) }
    /// ```
    pub fn span(&self) -> &Span {
        &self.inner.span
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.inner.hold
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
