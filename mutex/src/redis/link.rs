//! One connection for commands, kept and replaced.

use std::{fmt, sync::Arc, time::Duration};

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

/// One connection, which a keeper makes and replaces.
#[derive(Debug)]
pub(super) struct Link {
    bound: Duration,
    status: watch::Receiver<Status>,
    doubts: watch::Sender<Doubts>,
    keeper: AbortOnDropHandle<()>,
}

impl Link {
    /// A connection that is made on `runtime`, and lives no longer than that.
    pub(super) fn new(runtime: &Handle, source: Source, options: RedisOptions, scripts: Arc<Scripts>) -> Self {
        let (bound, doubts) = (options.response_timeout, watch::Sender::default());
        let (sender, status) = watch::channel(Status::Down(None));
        let keeper = Keeper { source, options, scripts, doubts: doubts.subscribe(), number: 0 };
        let keeper = AbortOnDropHandle::new(runtime.spawn(keeper.run(sender)));
        Self { bound, status, doubts, keeper }
    }

    /// Whether its runtime has.
    pub(super) fn has_ended(&self) -> bool {
        self.keeper.is_finished()
    }

    /// The connection, when there is one; why there is none, after `deadline`, or at once where none will be.
    pub(super) async fn live(&self, deadline: Instant) -> Result<Arc<Live>, Failure> {
        let broken = self.doubts.borrow().broken;
        let mut status = self.status.clone();
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
        Err(Failure::Unavailable(format!("no connection within {:?}{last}", self.bound)))
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
}
