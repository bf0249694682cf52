use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

use super::{
    Held, Session,
    table::{Turn, Waiter},
};
use crate::{
    Error, Lease, Owner,
    clock::Boot,
    stats::NameCounts,
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
            self.session.abandon(&ask);
        }
    }
}

/// When one who waits looks for itself, should nobody tell it. Those close behind the head do so too, one after the other: the head
/// may be a process that is stopped, and then has its turn and lets it pass.
pub(super) fn look_after(position: u64, look_in: Duration) -> Option<Duration> {
    let turns = u32::try_from(position.checked_sub(1)?).ok().filter(|turns| *turns < 8)?;
    Some(look_in.max(Duration::from_millis(1)) + PROBATION * turns)
}

/// A place in line, at which somebody waits.
struct Standing<'a> {
    session: &'a Arc<Session>,
    ask: Arc<Ask>,
    began: Boot,
    counts: Arc<NameCounts>,
    told: mpsc::UnboundedReceiver<Turn>,
}

impl Standing<'_> {
    /// Asks, and waits until it is granted. May be dropped: the place stays.
    async fn granted(&mut self) -> Result<Lease, Error> {
        let session = self.session;
        let mut failing_since = None;
        loop {
            let sent = Boot::now();
            let turn = match session.store.acquire(&self.ask).await {
                Ok(Answer::Granted(granted)) => {
                    return Ok(session.lease(self.ask.clone(), granted, sent, self.began, self.counts.clone()));
                }
                Ok(answer) => {
                    failing_since = None;
                    if let Answer::Queued { position, look_in } = answer
                        && let Some(after) = look_after(position, look_in)
                        && session.table.look_in(&self.ask.lease, after) == Some(true)
                    {
                        session.thread.wake();
                    }
                    self.told.recv().await
                }
                Err(error) => {
                    let since = *failing_since.get_or_insert(sent);
                    if !error.is_transient() || Boot::now() >= since.plus(session.settings.patience) {
                        return Err(error);
                    }
                    // A grant by hand-off may come all the same.
                    let pause = AGAIN.mul_f64(rand::random_range(0.5..1.0));
                    tokio::time::timeout(pause, self.told.recv()).await.unwrap_or(Some(Turn::AskAgain))
                }
            };
            match turn {
                Some(Turn::Granted(held)) => return Ok(self.hand_over(held)),
                Some(Turn::AskAgain) => {}
                Some(Turn::Failed(error)) => return Err(*error),
                None => return Err(Error::Closed),
            }
        }
    }

    /// Leaves the table, unless the lease has been handed over meanwhile.
    fn leave(mut self) -> Option<Lease> {
        while let Ok(turn) = self.told.try_recv() {
            if let Turn::Granted(held) = turn {
                return Some(self.hand_over(held));
            }
        }
        self.session.table.remove(&self.ask.lease);
        None
    }

    fn hand_over(&self, held: Arc<Held>) -> Lease {
        self.counts.waited(Boot::now().left(self.began));
        Lease { held, session: self.session.clone() }
    }
}

/// How a place is kept. The expected time, less up to two fifths of it by chance: so those who come back do not come together, and
/// rather before their turn than after it.
fn park() -> Queueing {
    Queueing::Park { jitter: rand::random_range(0.6..1.0) }
}

/// How long to wait, at most, before a store that did not answer is asked again.
const AGAIN: Duration = Duration::from_millis(100);

impl Session {
    /// Takes the lease if it can be had at once.
    pub(crate) async fn try_take(self: &Arc<Self>, ask: Ask) -> Result<Option<Lease>, Error> {
        self.ready()?;
        let ask = Arc::new(Ask { queueing: Queueing::No, ..ask });
        let abandon = Abandon::new(self, ask.clone());
        let sent = Boot::now();
        let lease = match self.store.acquire(&ask).await? {
            Answer::Granted(granted) => {
                let counts = self.counts.of(&ask.key);
                Some(self.lease(ask, granted, sent, sent, counts))
            }
            _ => None,
        };
        abandon.disarm();
        Ok(lease)
    }

    /// Takes the lease, or keeps a place in line and says when to come back. A turn that is expected within `soon` is waited for first.
    pub(crate) async fn take_or_park(
        self: &Arc<Self>,
        ask: Ask,
        place: Option<&Ticket>,
        soon: Duration,
    ) -> Result<Taken<Lease>, Error> {
        self.ready()?;
        let (place, since) = place.map(Ticket::read).unzip();
        let since = since.flatten().unwrap_or_else(SystemTime::now);
        let began = Boot::now().before(SystemTime::now().duration_since(since).unwrap_or_default());
        let ask = Arc::new(Ask { queueing: park(), place, ..ask });
        let ticket = Ticket::new(&ask.lease, since);
        let abandon = Abandon::new(self, ask.clone());
        let mut taken = self.park(&ask, &ticket, began).await?;
        if let Taken::Parked(place) = &taken
            && place.delay <= soon
        {
            let mut wait =
                self.stand_in_line(Arc::new(Ask { queueing: Queueing::Wait, place: None, ..(*ask).clone() }), began);
            taken = match tokio::time::timeout(place.delay * 2, wait.granted()).await {
                Ok(granted) => Taken::Granted(granted?),
                // It is still in the table: what is handed to it now is told, and what has been is granted by the answer.
                Err(_) => match self
                    .park(&Arc::new(Ask { queueing: park(), place: None, ..(*ask).clone() }), &ticket, began)
                    .await?
                {
                    Taken::Parked(place) => wait.leave().map_or(Taken::Parked(place), Taken::Granted),
                    granted @ Taken::Granted(_) => granted,
                },
            };
        }
        abandon.disarm();
        Ok(taken)
    }

    async fn park(self: &Arc<Self>, ask: &Arc<Ask>, ticket: &Ticket, began: Boot) -> Result<Taken<Lease>, Error> {
        let sent = Boot::now();
        let (position, delay, holder) = match self.store.acquire(ask).await? {
            Answer::Granted(granted) => {
                let counts = self.counts.of(&ask.key);
                return Ok(Taken::Granted(self.lease(ask.clone(), granted, sent, began, counts)));
            }
            Answer::Parked { position, delay, holder } => (position, delay, holder),
            Answer::Busy { holder, retry_in, waiting } => (waiting + 1, retry_in, holder),
            Answer::Queued { position, look_in } => (position, look_in, None),
        };
        Ok(Taken::Parked(Place { ticket: ticket.clone(), position, delay, holder }))
    }

    /// Waits for the lease.
    pub(crate) async fn take(self: &Arc<Self>, ask: Ask) -> Result<Lease, Error> {
        self.ready()?;
        let ask = Arc::new(Ask { queueing: Queueing::Wait, ..ask });
        let abandon = Abandon::new(self, ask.clone());
        let lease = self.stand_in_line(ask, Boot::now()).granted().await?;
        abandon.disarm();
        Ok(lease)
    }

    /// Before the question, because the hint may come before its answer. The entry stays until the end: what is not in the table is
    /// released when a hint names it, and that release could come after the next question for the same lease.
    fn stand_in_line(self: &Arc<Self>, ask: Arc<Ask>, began: Boot) -> Standing<'_> {
        let (counts, (turn, told)) = (self.counts.of(&ask.key), mpsc::unbounded_channel());
        if self.table.wait(Waiter { ask: ask.clone(), turn, counts: counts.clone(), failing_since: None }) {
            self.thread.wake();
        }
        Standing { session: self, ask, began, counts, told }
    }

    fn lease(
        self: &Arc<Self>,
        ask: Arc<Ask>,
        granted: Granted,
        sent: Boot,
        began: Boot,
        counts: Arc<NameCounts>,
    ) -> Lease {
        counts.waited(Boot::now().left(began));
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
