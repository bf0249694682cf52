//! One connection for commands, kept and replaced.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use deadpool_redis::redis::{Pipeline, aio::MultiplexedConnection};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    backoff::Backoff,
    facts::Facts,
    failure::Failure,
    options::RedisOptions,
    reply,
    script::{Script, Scripts},
    source::Source,
};

/// A connection that has shaken hands.
pub(super) struct Live {
    pub(super) connection: MultiplexedConnection,
    pub(super) facts: Facts,
    /// By which each script is called.
    pub(super) digests: [String; Script::ALL.len()],
    number: u64,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("number", &self.number).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What the keeper is at.
#[derive(Debug, Clone)]
enum Status {
    Down(Option<Failure>),
    Up(Arc<Live>),
}

/// Makes the connection, and makes another when it is told that this one is broken.
#[derive(Debug)]
struct Keeper {
    status: watch::Receiver<Status>,
    task: AbortOnDropHandle<()>,
}

/// Hands out the one connection.
#[derive(Debug)]
pub(super) struct Link {
    source: Source,
    options: RedisOptions,
    scripts: Arc<Scripts>,
    keeper: Mutex<Option<Keeper>>,
    /// The highest number of a connection that was found broken.
    broken: Arc<watch::Sender<u64>>,
    numbers: Arc<AtomicU64>,
}

impl Link {
    pub(super) fn new(source: Source, options: RedisOptions, scripts: Arc<Scripts>) -> Self {
        let (broken, numbers) = (Arc::new(watch::Sender::new(0)), Arc::new(AtomicU64::new(0)));
        Self { source, options, scripts, keeper: Mutex::new(None), broken, numbers }
    }

    /// The connection, when there is one; why there is none, after `deadline`, or at once where none will be.
    pub(super) async fn live(&self, handle: Option<Handle>, deadline: Instant) -> Result<Arc<Live>, Failure> {
        let mut status = self.status(handle)?;
        let broken = *self.broken.borrow();
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
        self.broken.send_if_modified(|broken| {
            let newer = live.number > *broken;
            *broken = live.number.max(*broken);
            newer
        });
    }

    /// Ends the connection; the next use makes another, where it then may.
    pub(super) fn reset(&self) {
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn status(&self, handle: Option<Handle>) -> Result<watch::Receiver<Status>, Failure> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        // The runtime that it ran on may be gone.
        if let Some(keeper) = keeper.as_ref().filter(|keeper| !keeper.task.is_finished()) {
            return Ok(keeper.status.clone());
        }
        let handle = handle
            .or_else(|| Handle::try_current().ok())
            .ok_or_else(|| Failure::Unavailable("there is no Tokio runtime to connect on".into()))?;
        let (sender, status) = watch::channel(Status::Down(None));
        let keep = Keep {
            source: self.source.clone(),
            options: self.options.clone(),
            scripts: self.scripts.clone(),
            broken: self.broken.subscribe(),
            numbers: self.numbers.clone(),
        };
        let task = AbortOnDropHandle::new(handle.spawn(keep.run(sender)));
        *keeper = Some(Keeper { status: status.clone(), task });
        Ok(status)
    }
}

/// What the keeper's future has.
struct Keep {
    source: Source,
    options: RedisOptions,
    scripts: Arc<Scripts>,
    broken: watch::Receiver<u64>,
    numbers: Arc<AtomicU64>,
}

impl Keep {
    async fn run(mut self, status: watch::Sender<Status>) {
        let mut backoff = Backoff::default();
        loop {
            match self.connect().await {
                Ok(live) => {
                    let number = live.number;
                    status.send_replace(Status::Up(Arc::new(live)));
                    backoff.reset();
                    if self.broken.wait_for(|broken| *broken >= number).await.is_err() {
                        return;
                    }
                    status.send_replace(Status::Down(None));
                }
                Err(failure) => {
                    tracing::warn!(address = %self.source.address, "no connection to Redis: {}", failure.message());
                    status.send_replace(Status::Down(Some(failure)));
                    backoff.pause().await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<Live, Failure> {
        let bound = self.options.response_timeout;
        let mut connection = self.source.connect(&self.options).await?;
        // Bounded by those who await it; a pool's own bound would be the shorter of two.
        connection.set_response_timeout(bound * 2);
        let mut handshake = Pipeline::new();
        for script in Script::ALL {
            handshake.cmd("SCRIPT").arg("LOAD").arg(self.scripts.text(script));
        }
        handshake.cmd("INFO").cmd("TIME");
        let sent = connection.send_packed_commands(&handshake, 0, handshake.len());
        let replies = timeout(bound, sent)
            .await
            .map_err(|_| Failure::Unavailable(format!("no answer to the handshake within {bound:?}")))??;
        let (digests, rest) = replies.split_at_checked(Script::ALL.len()).unwrap_or((&[], &[]));
        let [info, time] = rest else { return Err(Failure::strange("a handshake of another length")) };
        let digests: Vec<_> = digests.iter().map(reply::text).collect::<Result<_, _>>()?;
        let facts = Facts::read(info, time, &self.options)?;
        let digests = digests.try_into().map_err(|_| Failure::strange("a handshake of another length"))?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Live { connection, facts, digests, number })
    }
}
