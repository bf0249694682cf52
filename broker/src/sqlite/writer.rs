//! The one thread of this process that writes the file: it takes what the channel holds, and commits it together.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use celeriac_sqlite::Database;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{
    command::{Claim, Claimed, Command, Done, Write},
    entry,
    fault::Fault,
    location::Location,
    reading::Read,
    schema::SCHEMA,
    store::Store,
};
use crate::QueueName;

/// How often a process that consumes asks whether another one has written.
const POLL: Duration = Duration::from_millis(15);

/// How long nothing is tried again of its own accord after a failure.
const PAUSE: Duration = Duration::from_millis(500);

const FOREVER: Duration = Duration::from_secs(3600);

/// The most commands in one transaction. Time bounds it too; see `transaction`.
const MAX_BATCH: usize = 512;

/// What the thread tells everybody.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The last transaction was committed.
    pub(super) healthy: AtomicBool,
    /// The last ticket that was taken into a transaction.
    pub(super) begun: AtomicU64,
}

pub(super) type Answer = oneshot::Sender<Result<Done, Fault>>;

/// A change that waits for its transaction.
pub(super) struct Queued {
    pub(super) write: Write,
    pub(super) ticket: u64,
    pub(super) answer: Answer,
}

/// A consumer, as the thread knows it.
pub(super) struct Consuming {
    pub(super) queue: QueueName,
    pub(super) isolate_after: u32,
    /// How many more may be unsettled.
    pub(super) room: usize,
    /// Whether its queue may have something ready.
    pub(super) hot: bool,
    /// Whether the last claim was a suspect: with room for one, healthy messages then have their turn.
    pub(super) had_suspect: bool,
    pub(super) claimed: UnboundedSender<Vec<Claimed>>,
}

/// A delivery that has not ended.
pub(super) struct Held {
    /// The queue whose one suspect it is.
    pub(super) suspect_of: Option<QueueName>,
}

/// This process, as the file knows it.
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) renew_at: Instant,
}

/// What the thread remembers, whether the file is open or not.
pub(super) struct Writer {
    pub(super) location: Location,
    pub(super) signals: Arc<Signals>,
    receiver: Receiver<Command>,
    backlog: VecDeque<Command>,
    pub(super) consumers: BTreeMap<u64, Consuming>,
    pub(super) identity: Option<Identity>,
    /// Deliveries to give back, and whether their worker's death counts; kept until that is committed.
    pub(super) returns: Vec<(Claim, bool)>,
    /// Queues whose number of consumers here has changed.
    pub(super) changed: BTreeSet<QueueName>,
    /// Whether the consumers' queues must be made.
    pub(super) redeclare: bool,
    /// What is with a consumer or its worker. What is not in here has ended, however often that is said: a settlement
    /// that its caller did not wait for is followed by a drop.
    pub(super) held: HashMap<Claim, Held>,
    /// The queues that this process holds a suspect of.
    pub(super) suspects: HashSet<QueueName>,
    /// Processes seen with their time over: until when they had it, and when that was first seen.
    expired: HashMap<i64, (i64, Instant)>,
    pub(super) dead: Vec<i64>,
    next_roll_call: Instant,
    paused_until: Option<Instant>,
}

/// Why the thread stopped serving a file.
enum Exit {
    Closed(Option<oneshot::Sender<()>>),
    /// The file under this name is another one now, or none.
    Moved,
}

impl Writer {
    pub(super) fn new(location: Location, signals: Arc<Signals>, receiver: Receiver<Command>) -> Self {
        Self {
            location,
            signals,
            receiver,
            backlog: VecDeque::new(),
            consumers: BTreeMap::new(),
            identity: None,
            returns: Vec::new(),
            changed: BTreeSet::new(),
            redeclare: false,
            held: HashMap::new(),
            suspects: HashSet::new(),
            expired: HashMap::new(),
            dead: Vec::new(),
            next_roll_call: Instant::now(),
            paused_until: None,
        }
    }

    /// The life of the thread.
    pub(super) fn run(mut self) {
        let mut reopen = false;
        loop {
            let now = Instant::now();
            let wait = match (reopen, self.consumers.is_empty()) {
                (true, _) => Duration::ZERO,
                // Those who wait for messages wait until the file can be opened.
                (false, false) => PAUSE,
                (false, true) => FOREVER,
            };
            if !self.gather(now + wait) {
                return;
            }
            reopen = false;
            match self.open().and_then(|file| self.serve(&file)) {
                // The file is closed before the answer.
                Ok(Exit::Closed(answer)) => {
                    // Whoever closes may not wait.
                    let _ = answer.map(|answer| answer.send(()));
                    return;
                }
                Ok(Exit::Moved) => {
                    tracing::warn!(file = %self.location.path.as_path().display(), "the file was replaced or removed; opening it anew");
                    reopen = !self.consumers.is_empty();
                }
                Err(fault) => {
                    self.failed(&fault);
                    if let Some(answer) = self.refuse(&fault) {
                        let _ = answer.send(());
                        return;
                    }
                }
            }
        }
    }

    fn open(&self) -> Result<Database, Fault> {
        let Location { path, synchronous, .. } = &self.location;
        let (database, _) =
            Database::open(path, *synchronous, |connection| Ok::<_, Fault>(SCHEMA.migrate(connection)?))?;
        Ok(database)
    }

    fn serve(&mut self, file: &Database) -> Result<Exit, Fault> {
        let mut store = Store::new(&file.connection, self.location.max_size)?;
        self.signals.healthy.store(true, Ordering::Relaxed);
        self.paused_until = None;
        // Nothing of what this process was to another file holds here.
        self.identity = None;
        self.returns.clear();
        self.redeclare = !self.consumers.is_empty();
        self.changed.extend(self.consumers.values().map(|consumer| consumer.queue.clone()));
        self.heat();
        loop {
            let deadline = self.deadline(&store);
            if !self.gather(deadline) {
                self.end(file, &mut store);
                return Ok(Exit::Closed(None));
            }
            if file.has_moved() {
                return Ok(Exit::Moved);
            }
            let mut writes = Vec::new();
            let mut reads: Vec<Read> = Vec::new();
            let mut attached: Vec<(u64, Answer)> = Vec::new();
            let mut detached: Vec<Answer> = Vec::new();
            let mut close = None;
            while let Some(command) = self.backlog.pop_front() {
                match command {
                    Command::Write { write, ticket, answer } => writes.push(Queued { write, ticket, answer }),
                    Command::Read(read) => reads.push(read),
                    Command::Attach(attach, answer) => attached.push((self.attach(attach), answer)),
                    Command::Detach { consumer, unread, answer } => {
                        self.detach(consumer, unread);
                        detached.extend(answer);
                    }
                    Command::Drop { claim, counted } => self.give_back(claim, counted),
                    Command::Close(answer) => {
                        close = Some(answer);
                        break;
                    }
                }
                if writes.len() >= MAX_BATCH {
                    break;
                }
            }
            self.look(&mut store);
            if !writes.is_empty() || !attached.is_empty() || !detached.is_empty() || self.has_work(&store) {
                let (left, result) = self.transact(file, &mut store, writes);
                for Queued { write, ticket, answer } in left.into_iter().rev() {
                    self.backlog.push_front(Command::Write { write, ticket, answer });
                }
                // Whoever asked may have gone, here and below.
                for (consumer, answer) in attached {
                    if result.is_err() {
                        self.consumers.remove(&consumer);
                    }
                    let _ = answer.send(result.clone().map(|()| Done::default()));
                }
                for answer in detached {
                    let _ = answer.send(Ok(Done::default()));
                }
            }
            for read in reads {
                read.answer(store.connection());
            }
            if let Some(answer) = close {
                self.end(file, &mut store);
                return Ok(Exit::Closed(Some(answer)));
            }
        }
    }

    /// Waits for a command until `deadline`, then takes all that are there. `false`: nobody is left to send any.
    fn gather(&mut self, deadline: Instant) -> bool {
        if self.backlog.is_empty() {
            match self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(command) => self.backlog.push_back(command),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        while self.backlog.len() < MAX_BATCH {
            match self.receiver.try_recv() {
                Ok(command) => self.backlog.push_back(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return !self.backlog.is_empty(),
            }
        }
        true
    }

    /// When there is something to do without being asked.
    fn deadline(&self, store: &Store<'_>) -> Instant {
        let now = Instant::now();
        if let Some(paused_until) = self.paused_until {
            return paused_until;
        }
        if self.has_work(store) {
            return now;
        }
        let mut deadline = now + FOREVER;
        if let Some(identity) = &self.identity {
            deadline = deadline.min(identity.renew_at);
        }
        if !self.consumers.is_empty() {
            deadline = deadline.min(now + POLL).min(self.next_roll_call);
            if let Some(due) = store.next_due {
                let wait = u64::try_from(due.saturating_sub(entry::now())).unwrap_or(0);
                deadline = deadline.min(now + Duration::from_micros(wait));
            }
        }
        deadline
    }

    /// Whether a transaction is needed for what nobody asked for just now.
    fn has_work(&self, store: &Store<'_>) -> bool {
        if self.paused_until.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let consuming = !self.consumers.is_empty();
        self.redeclare
            || !self.returns.is_empty()
            || !self.changed.is_empty()
            || !self.dead.is_empty()
            || self.identity.as_ref().is_some_and(|identity| identity.renew_at <= Instant::now())
            || (consuming && store.next_due.is_some_and(|due| due <= entry::now()))
            || self.consumers.values().any(|consumer| consumer.hot && consumer.room > 0)
    }

    /// Looks, without a lock, at what others have done.
    fn look(&mut self, store: &mut Store<'_>) {
        if self.consumers.is_empty() {
            return;
        }
        if let Err(error) = self.try_look(store) {
            self.failed(&error.into());
        }
    }

    fn try_look(&mut self, store: &mut Store<'_>) -> rusqlite::Result<()> {
        if store.refresh()? {
            for consumer in self.consumers.values_mut().filter(|consumer| !consumer.hot) {
                consumer.hot = store.has_ready(&consumer.queue)?;
            }
        }
        if Instant::now() >= self.next_roll_call {
            self.call_roll(store)?;
        }
        Ok(())
    }

    /// Finds processes that renew no longer. Each must be seen twice, a third of the lease apart: where the clock has
    /// jumped, or the machine has slept, everybody's time seems over, and the living renew in between.
    fn call_roll(&mut self, store: &mut Store<'_>) -> rusqlite::Result<()> {
        let now = Instant::now();
        let own = self.identity.as_ref().map_or(0, |identity| identity.id);
        let found = store.expired(own)?;
        let before = std::mem::take(&mut self.expired);
        for (process, until) in found {
            if process == own {
                continue;
            }
            let first_seen = before.get(&process).filter(|seen| seen.0 == until).map_or(now, |seen| seen.1);
            if now.duration_since(first_seen) >= self.location.claim_lease / 3 {
                self.dead.push(process);
            }
            self.expired.insert(process, (until, first_seen));
        }
        self.next_roll_call = now + self.location.claim_lease / 12;
        Ok(())
    }

    pub(super) fn succeeded(&mut self) {
        self.paused_until = None;
        self.signals.healthy.store(true, Ordering::Relaxed);
    }

    pub(super) fn failed(&mut self, fault: &Fault) {
        tracing::warn!(file = %self.location.path.as_path().display(), ?fault, "the file failed");
        self.paused_until = Some(Instant::now() + PAUSE);
        self.signals.healthy.store(false, Ordering::Relaxed);
    }

    /// Answers all that wait, as the file can't be opened; with the caller of `close`, if there is one.
    fn refuse(&mut self, fault: &Fault) -> Option<oneshot::Sender<()>> {
        for command in std::mem::take(&mut self.backlog) {
            match command {
                Command::Write { answer, .. } | Command::Attach(_, answer) => drop(answer.send(Err(fault.clone()))),
                Command::Read(read) => read.refuse(fault.clone()),
                Command::Detach { consumer, answer, .. } => {
                    self.consumers.remove(&consumer);
                    drop(answer.map(|answer| answer.send(Ok(Done::default()))));
                }
                Command::Drop { .. } => {}
                Command::Close(answer) => return Some(answer),
            }
        }
        None
    }

    /// The clean end: what is still held comes back at once, counted, as its worker ends with it.
    fn end(&mut self, file: &Database, store: &mut Store<'_>) {
        self.consumers.clear();
        if let Some(identity) = self.identity.take() {
            self.changed.clear();
            self.dead = vec![identity.id];
            if let (_, Err(fault)) = self.transact(file, store, Vec::new()) {
                tracing::warn!(file = %self.location.path.as_path().display(), ?fault, "what this process held comes back later");
            }
        }
    }
}
