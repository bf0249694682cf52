use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;
use tracing::{Span, field};

use super::{
    Held, Session,
    table::{Turn, Waiter},
};
use crate::{
    Error, Lease, Owner,
    clock::Boot,
    store::{Answer, Ask, Granted, LeaseId, PROBATION, Queueing},
};

/// A place in line, as a text to be kept while one is away. It can be used once.
///
/// It says since when its bearer waits, so that who is granted the lease, in whatever process, knows how long that took.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ticket(Box<str>);

impl Ticket {
    /// As it is written in a header.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(lease: &LeaseId, since: SystemTime) -> Self {
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self(format!("{lease}@{since}").into())
    }

    /// The place, and since when it is waited for where that is known.
    fn read(&self) -> (LeaseId, Option<SystemTime>) {
        let parts = self.0.rsplit_once('@').and_then(|(lease, since)| Some((lease, since.parse::<u64>().ok()?)));
        match parts {
            Some((lease, since)) => (lease.into(), UNIX_EPOCH.checked_add(Duration::from_millis(since))),
            None => (self.as_str().into(), None),
        }
    }
}

impl From<&str> for Ticket {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place that is kept in line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// What to come back with.
    pub ticket: Ticket,
    /// 1 for the head.
    pub position: u64,
    /// When to come back.
    pub delay: Duration,
    /// The oldest holder, where one is known.
    pub holder: Option<Owner>,
}

/// What [`take_or_park`](crate::Mutex::take_or_park) gave.
#[derive(Debug)]
pub enum Taken<G> {
    /// The lock.
    Granted(G),
    /// A place in line.
    Parked(Place),
}

impl<G> Taken<G> {
    pub(crate) fn map<H>(self, with: impl FnOnce(G) -> H) -> Taken<H> {
        match self {
            Self::Granted(guard) => Taken::Granted(with(guard)),
            Self::Parked(place) => Taken::Parked(place),
        }
    }
}

/// Releases what was asked for, unless it is disarmed: the answer may come when nobody listens any more.
#[must_use]
#[derive(Debug)]
pub(super) struct Abandon<'a> {
    session: &'a Session,
    ask: Option<Arc<Ask>>,
}

impl<'a> Abandon<'a> {
    pub(super) fn new(session: &'a Session, ask: Arc<Ask>) -> Self {
        Self { session, ask: Some(ask) }
    }

    pub(super) fn disarm(mut self) {
        self.ask = None;
    }
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if let Some(ask) = self.ask.take() {
            self.session.abandon(ask);
        }
    }
}

/// When one who waits looks for itself, should nobody tell it. Those close behind the head do so too, one after the other: the head
/// may be a process that is stopped, and then has its turn and lets it pass.
pub(super) fn look_after(position: u64, look_in: Duration) -> Option<Duration> {
    let turns = u32::try_from(position.checked_sub(1)?).ok().filter(|turns| *turns < 8)?;
    Some(look_in.max(Duration::from_millis(1)) + PROBATION * turns)
}

/// Says in the span `celeriac.lock` how asking ended; one that was dropped says nothing.
fn came_to(outcome: &'static str) {
    Span::current().record("outcome", outcome);
}

/// How long to wait, at most, before a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(100);

impl Session {
    /// Takes the lease if it can be had at once.
    #[tracing::instrument(name = "celeriac.lock", level = "debug", skip_all, fields(kind = %ask.key.kind(), lock = ask.key.first(), outcome = field::Empty))]
    pub(crate) async fn try_take(self: &Arc<Self>, ask: Ask) -> Result<Option<Lease>, Error> {
        self.ready()?;
        let ask = Arc::new(Ask { queueing: Queueing::No, ..ask });
        let abandon = Abandon::new(self, ask.clone());
        let sent = Boot::now();
        let lease = if let Answer::Granted(granted) = self.store.acquire(&ask).await? {
            Some(self.lease(ask, granted, sent, sent))
        } else {
            came_to("busy");
            None
        };
        abandon.disarm();
        Ok(lease)
    }

    /// Takes the lease, or keeps a place in line and says when to come back.
    #[tracing::instrument(name = "celeriac.lock", level = "debug", skip_all, fields(kind = %ask.key.kind(), lock = ask.key.first(), outcome = field::Empty))]
    pub(crate) async fn take_or_park(
        self: &Arc<Self>,
        ask: Ask,
        place: Option<&Ticket>,
    ) -> Result<Taken<Lease>, Error> {
        self.ready()?;
        let queueing = Queueing::Park { jitter: rand::random_range(0.6..1.0) };
        let (place, since) = place.map(Ticket::read).unzip();
        let since = since.flatten().unwrap_or_else(SystemTime::now);
        let ask = Arc::new(Ask { queueing, place, ..ask });
        let abandon = Abandon::new(self, ask.clone());
        let sent = Boot::now();
        let ticket = Ticket::new(&ask.lease, since);
        let (position, delay, holder) = match self.store.acquire(&ask).await? {
            Answer::Granted(granted) => {
                let before = SystemTime::now().duration_since(since).unwrap_or_default();
                let lease = self.lease(ask, granted, sent, sent.before(before));
                abandon.disarm();
                return Ok(Taken::Granted(lease));
            }
            Answer::Parked { position, delay, holder } => (position, delay, holder),
            Answer::Busy { holder, retry_in, waiting } => (waiting + 1, retry_in, holder),
            Answer::Queued { position, look_in } => (position, look_in, None),
        };
        abandon.disarm();
        came_to("parked");
        Ok(Taken::Parked(Place { ticket, position, delay, holder }))
    }

    /// Waits for the lease.
    #[tracing::instrument(name = "celeriac.lock", level = "debug", skip_all, fields(kind = %ask.key.kind(), lock = ask.key.first(), outcome = field::Empty))]
    pub(crate) async fn take(self: &Arc<Self>, ask: Ask) -> Result<Lease, Error> {
        self.ready()?;
        let ask = Arc::new(Ask { queueing: Queueing::Wait, ..ask });
        let abandon = Abandon::new(self, ask.clone());
        let (began, counts) = (Boot::now(), self.counts.of(&ask.key));
        let (turn, mut told) = mpsc::unbounded_channel();
        // Before the question: the hint may come before its answer. It stays until the end: what is not in the table is released when
        // a hint names it, and that release could come after the next question for the same lease.
        if self.table.wait(Waiter { ask: ask.clone(), turn, counts: counts.clone(), failing_since: None }) {
            self.thread.wake();
        }
        let mut failing_since = None;
        loop {
            let sent = Boot::now();
            let turn = match self.store.acquire(&ask).await {
                Ok(Answer::Granted(granted)) => {
                    let lease = self.lease(ask, granted, sent, began);
                    abandon.disarm();
                    return Ok(lease);
                }
                Ok(answer) => {
                    failing_since = None;
                    if let Answer::Queued { position, look_in } = answer
                        && let Some(after) = look_after(position, look_in)
                        && self.table.look_in(&ask.lease, after) == Some(true)
                    {
                        self.thread.wake();
                    }
                    told.recv().await
                }
                Err(error) => {
                    let since = *failing_since.get_or_insert(sent);
                    if !error.is_transient() || Boot::now() >= since.plus(self.settings.patience) {
                        return Err(error);
                    }
                    // A grant by hand-off may come all the same.
                    let pause = AGAIN.mul_f64(rand::random_range(0.5..1.0));
                    tokio::time::timeout(pause, told.recv()).await.unwrap_or(Some(Turn::AskAgain))
                }
            };
            match turn {
                Some(Turn::Granted(held)) => {
                    counts.waited(Boot::now().left(began));
                    came_to("granted");
                    abandon.disarm();
                    return Ok(Lease { held, session: self.clone() });
                }
                Some(Turn::AskAgain) => {}
                Some(Turn::Failed(error)) => return Err(error),
                None => return Err(Error::Closed),
            }
        }
    }

    fn lease(self: &Arc<Self>, ask: Arc<Ask>, granted: Granted, sent: Boot, began: Boot) -> Lease {
        let counts = self.counts.of(&ask.key);
        counts.waited(Boot::now().left(began));
        came_to("granted");
        if granted.leases != ask.leases {
            self.disagree(&ask, granted.leases);
        }
        let held = Arc::new(Held::new(ask, granted, sent, counts));
        self.hold(held.clone());
        Lease { held, session: self.clone() }
    }

    /// Says once for each name that this program and the store differ about the number of leases.
    fn disagree(&self, ask: &Ask, stored: u32) {
        if self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert((ask.key.name(), stored)) {
            tracing::warn!(
                key = %ask.key, here = ask.leases, stored,
                "this program says another number of leases than is stored; the stored one counts, until `celeriac semaphore resize` changes it"
            );
        }
    }
}
