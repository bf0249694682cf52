//! One connection for commands, kept and replaced.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use deadpool_redis::redis::aio::MultiplexedConnection;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    facts::Facts,
    failure::Failure,
    keeper::{Doubts, Keeper},
    options::RedisOptions,
    script::{Script, Scripts},
    source::Source,
};

/// A connection that has shaken hands.
pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    pub(super) facts: Facts,
    /// By which each script is called.
    pub(super) digests: [String; Script::ALL.len()],
    pub(super) number: u64,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("number", &self.number).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What there is of a connection.
#[derive(Debug, Clone)]
pub(super) enum Status {
    Down(Option<Failure>),
    Up(Arc<Live>),
}

/// A keeper at work.
#[derive(Debug)]
struct Kept {
    status: watch::Receiver<Status>,
    task: AbortOnDropHandle<()>,
}

/// Hands out the one connection.
#[derive(Debug)]
pub(super) struct Link {
    source: Source,
    options: RedisOptions,
    scripts: Arc<Scripts>,
    kept: Mutex<Option<Kept>>,
    doubts: watch::Sender<Doubts>,
    numbers: Arc<AtomicU64>,
}

impl Link {
    pub(super) fn new(source: Source, options: RedisOptions, scripts: Arc<Scripts>) -> Self {
        let (doubts, numbers) = (watch::Sender::default(), Arc::default());
        Self { source, options, scripts, kept: Mutex::new(None), doubts, numbers }
    }

    /// The connection, when there is one; why there is none, after `deadline`, or at once where none will be. It is made on `runtime`.
    pub(super) async fn live(
        &self,
        runtime: impl FnOnce() -> Option<Handle>,
        deadline: Instant,
    ) -> Result<Arc<Live>, Failure> {
        let broken = self.doubts.borrow().broken;
        let mut status = self.kept(runtime)?;
        if let Status::Up(live) = &*status.borrow()
            && live.number > broken
        {
            return Ok(live.clone());
        }
        let settled = status.wait_for(|status| match status {
            Status::Up(live) => live.number > broken,
            Status::Down(failure) => matches!(failure, Some(Failure::Refused(_))),
        });
        match timeout_at(deadline, settled).await {
            Ok(Ok(settled)) => match &*settled {
                Status::Up(live) => return Ok(live.clone()),
                Status::Down(Some(failure)) => return Err(failure.clone()),
                Status::Down(None) => {}
            },
            Ok(Err(_)) => return Err(Failure::Unavailable("the runtime of its connection has ended".into())),
            Err(_) => {}
        }
        let last = match &*status.borrow() {
            Status::Down(Some(failure)) => format!(": {}", failure.message()),
            _ => String::new(),
        };
        Err(Failure::Unavailable(format!("no connection within {:?}{last}", self.options.response_timeout)))
    }

    /// Says that a connection is of no use any more.
    pub(super) fn is_broken(&self, live: &Live) {
        self.doubts.send_if_modified(|doubts| {
            let news = live.number > doubts.broken;
            doubts.broken = doubts.broken.max(live.number);
            news
        });
    }

    /// Says that somebody gave up waiting for an answer, who may have been in a hurry, or right.
    pub(super) fn is_doubtful(&self) {
        self.doubts.send_modify(|doubts| doubts.given_up += 1);
    }

    /// Ends the connection; the next use makes another, where it then may.
    pub(super) fn reset(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn kept(&self, runtime: impl FnOnce() -> Option<Handle>) -> Result<watch::Receiver<Status>, Failure> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // The runtime that it ran on may be gone.
        if let Some(kept) = kept.as_ref().filter(|kept| !kept.task.is_finished()) {
            return Ok(kept.status.clone());
        }
        let runtime = runtime()
            .or_else(|| Handle::try_current().ok())
            .ok_or_else(|| Failure::Unavailable("there is no Tokio runtime to connect on".into()))?;
        let (sender, status) = watch::channel(Status::Down(None));
        let keeper = Keeper {
            source: self.source.clone(),
            options: self.options.clone(),
            scripts: self.scripts.clone(),
            doubts: self.doubts.subscribe(),
            numbers: self.numbers.clone(),
        };
        let task = AbortOnDropHandle::new(runtime.spawn(keeper.run(sender)));
        *kept = Some(Kept { status: status.clone(), task });
        Ok(status)
    }
}
