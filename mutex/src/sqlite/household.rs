use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    fault::Fault,
    presence::{Others, Presence},
};
use crate::store::{Hint, LeaseId, ProcessId, WAITER_TTL};

/// How often the file is looked at while somebody here waits: an eighth of the time since something last happened, within these bounds.
const WAITING: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// How often while leases are held here: an operator may have asked for one.
const HOLDING: Duration = Duration::from_millis(200);

/// The processes that use this store (one, but for tests), and what it knows of the others.
#[derive(Debug)]
pub(super) struct Household {
    folder: PathBuf,
    members: HashMap<ProcessId, Member>,
    /// Those that have closed: what they asked for comes too late.
    gone: HashSet<ProcessId>,
    others: RefCell<Others>,
    /// Who waits here, and when it last said so.
    waiting: HashMap<LeaseId, Instant>,
    held: HashSet<LeaseId>,
    stirred: Instant,
}

#[derive(Debug, Default)]
struct Member {
    hints: Option<mpsc::Sender<Hint>>,
    presence: Option<Presence>,
}

impl Household {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            others: RefCell::new(Others::new(folder.clone())),
            folder,
            members: HashMap::new(),
            gone: HashSet::new(),
            waiting: HashMap::new(),
            held: HashSet::new(),
            stirred: Instant::now(),
        }
    }

    pub(super) fn enrol(&mut self, process: ProcessId, hints: mpsc::Sender<Hint>) {
        self.gone.remove(&process);
        self.members.entry(process).or_default().hints = Some(hints);
    }

    /// Makes sure that others can see that a process of ours lives, before it holds or waits for anything. `false` where it has closed.
    /// In a transaction.
    pub(super) fn admit(&mut self, process: &ProcessId) -> Result<bool, Fault> {
        if self.members.get(process).is_some_and(|member| member.presence.is_some()) {
            return Ok(true);
        }
        if self.gone.contains(process) {
            return Ok(false);
        }
        // Where another store of this program has it, that one says whether it lives.
        if let Some(presence) = self.appear(process)? {
            self.members.entry(process.clone()).or_default().presence = Some(presence);
        }
        Ok(true)
    }

    fn appear(&self, process: &ProcessId) -> Result<Option<Presence>, Fault> {
        Presence::take(&self.folder, process).map_err(|error| {
            let folder = self.folder.display();
            Fault::Refused(format!("no file can be locked in {folder}: {error}; this user must be able to write there"))
        })
    }

    /// Those whose sign of life somebody has removed.
    pub(super) fn unseen(&self) -> Vec<ProcessId> {
        let unseen = |member: &Member| member.presence.as_ref().is_some_and(|presence| !presence.is_seen());
        self.members.iter().filter(|(_, member)| unseen(member)).map(|(process, _)| process.clone()).collect()
    }

    /// Makes it seen again. In a transaction.
    pub(super) fn reappear(&mut self, process: &ProcessId) -> Result<(), Fault> {
        if let Some(presence) = self.appear(process)? {
            self.members.entry(process.clone()).or_default().presence = Some(presence);
        }
        Ok(())
    }

    /// A process of ours ends; its sign of life, to be withdrawn when nothing is left of it.
    pub(super) fn dismiss(&mut self, process: &ProcessId) -> Option<Presence> {
        self.gone.insert(process.clone());
        let presence = self.members.remove(process)?.presence;
        if self.members.is_empty() {
            self.waiting.clear();
            self.held.clear();
        }
        presence
    }

    /// Whether it has ever been seen: there may be something of it in the file.
    pub(super) fn is_present(&self, process: &ProcessId) -> bool {
        self.members.get(process).is_some_and(|member| member.presence.is_some())
    }

    /// Whether there is no process of ours.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Our own ones that have been seen.
    pub(super) fn present(&self) -> Vec<ProcessId> {
        self.members.keys().filter(|process| self.is_present(process)).cloned().collect()
    }

    pub(super) fn is_dead(&self, process: &ProcessId) -> bool {
        !self.members.contains_key(process) && self.others.borrow_mut().is_dead(process)
    }

    /// Whether a process is not ours.
    pub(super) fn is_other(&self, process: &ProcessId) -> bool {
        !self.members.contains_key(process)
    }

    /// Whether a process of ours is known to hear nothing.
    pub(super) fn is_deaf(&self, process: &ProcessId) -> bool {
        let hints = self.members.get(process).and_then(|member| member.hints.as_ref());
        hints.is_some_and(mpsc::Sender::is_closed)
    }

    /// The others, the dead and the living.
    pub(super) fn others(&self) -> Vec<ProcessId> {
        let mut others = self.others.borrow().all();
        others.retain(|process| self.is_other(process));
        others
    }

    /// The others that are dead and have left something.
    pub(super) fn dead(&self) -> Vec<ProcessId> {
        let mut dead = self.others();
        dead.retain(|process| self.is_dead(process));
        dead
    }

    /// Whether a dead process has left something that nobody else has cleared away since.
    pub(super) fn has_left(&self, process: &ProcessId) -> bool {
        self.is_dead(process) && self.others.borrow().has_left(process)
    }

    pub(super) fn buried(&self, process: &ProcessId) {
        self.others.borrow_mut().remove(process);
    }

    pub(super) fn waits(&mut self, lease: &LeaseId) {
        let now = Instant::now();
        if self.waiting.insert(lease.clone(), now).is_none() {
            self.stirred = now;
        }
        self.held.remove(lease);
    }

    pub(super) fn holds(&mut self, lease: &LeaseId) {
        self.waiting.remove(lease);
        if !self.held.contains(lease) {
            self.held.insert(lease.clone());
        }
    }

    pub(super) fn forget(&mut self, lease: &LeaseId) {
        self.waiting.remove(lease);
        self.held.remove(lease);
    }

    /// Something has happened, and more may follow soon.
    pub(super) fn stir(&mut self) {
        self.stirred = Instant::now();
    }

    /// Whether anybody here waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How long after the last look the next one is due; `None` where there is nothing to look for.
    pub(super) fn look_every(&self, now: Instant) -> Option<Duration> {
        if !self.waiting.is_empty() {
            let [least, most] = WAITING;
            return Some((now.saturating_duration_since(self.stirred) / 8).clamp(least, most));
        }
        (!self.held.is_empty()).then_some(HOLDING)
    }

    /// Forgets those who wait and no longer say so.
    pub(super) fn thin(&mut self, now: Instant) {
        self.waiting.retain(|_, said| now.saturating_duration_since(*said) < WAITER_TTL);
    }

    /// Tells a process of ours.
    pub(super) fn tell(&self, process: &ProcessId, hint: Hint) {
        if let Some(hints) = self.members.get(process).and_then(|member| member.hints.as_ref()) {
            // A channel that is full loses hints, as a network would.
            let _ = hints.try_send(hint);
        }
    }

    pub(super) fn resync(&self) {
        for process in self.members.keys() {
            self.tell(process, Hint::Resync);
        }
    }
}
