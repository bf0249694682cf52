//! What is remembered whether the file is open or not, and what is to be done without being asked.

use std::time::{Duration, Instant};

use celeriac_sqlite::DatabasePath;

use super::{
    book::Book,
    fault::Fault,
    household::Household,
    job::{Job, Kind},
    location::processes,
};
use crate::{
    rules::Micros,
    store::{LeaseId, ProcessId},
};

/// How long nothing is tried again of its own accord after a failure.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// How often the dead are looked for while somebody waits.
const ROLL_CALL: Duration = Duration::from_millis(50);

const FOREVER: Duration = Duration::from_secs(3600);

/// The processes of this program, what they owe, and how the file was last.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) path: DatabasePath,
    pub(super) household: Household,
    /// Leases to be given back, as that has failed.
    pub(super) owed: Vec<(String, LeaseId)>,
    /// Until when nothing is done of its own accord.
    paused_until: Option<Instant>,
    fault: Option<Fault>,
    looked: Instant,
    /// When the dead were last looked for in this file.
    called_roll: Option<Instant>,
    /// What a clock has shown.
    pub(super) reached: Micros,
}

/// What is to be done without being asked.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// Our own ones whose sign of life somebody has removed.
    pub(super) unseen: Vec<ProcessId>,
    /// Others that have died and left something.
    pub(super) dead: Vec<ProcessId>,
    /// Our own ones whom others have told something.
    pub(super) told: Vec<ProcessId>,
    /// Whether something is to be given back that could not be before.
    pub(super) owed: bool,
}

impl Chores {
    pub(super) fn is_empty(&self) -> bool {
        self.unseen.is_empty() && self.dead.is_empty() && self.told.is_empty() && !self.owed
    }
}

impl Keeper {
    pub(super) fn new(path: DatabasePath) -> Self {
        Self {
            household: Household::new(processes(&path)),
            path,
            owed: Vec::new(),
            paused_until: None,
            fault: None,
            looked: Instant::now(),
            called_roll: None,
            reached: 0,
        }
    }

    /// The file is open.
    pub(super) fn begin(&mut self) {
        (self.paused_until, self.called_roll, self.fault) = (None, None, None);
    }

    /// Whether a question may be answered before the thread has looked after the file.
    pub(super) fn is_calm(&self) -> bool {
        self.paused_until.is_none() && self.owed.is_empty() && self.called_roll.is_some()
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.owed.is_empty() || self.household.look_every(Instant::now()).is_some()
    }

    /// When there is something to do without being asked.
    pub(super) fn deadline(&self) -> Instant {
        let now = Instant::now();
        let mut deadline = now + FOREVER;
        if let Some(every) = self.household.look_every(now) {
            deadline = deadline.min(self.looked + every);
        }
        if !self.owed.is_empty() {
            deadline = deadline.min(now);
        }
        deadline.max(self.paused_until.unwrap_or(now))
    }

    /// Looks, without a lock, at what others have done and how they are.
    pub(super) fn look(&mut self, book: &mut Book<'_, '_>) -> Result<Chores, Fault> {
        let (now, mut chores) = (Instant::now(), Chores::default());
        if self.paused_until.is_some_and(|until| now < until) {
            return Ok(chores);
        }
        chores.owed = !self.owed.is_empty();
        if self.household.look_every(now).is_some_and(|every| now >= self.looked + every) {
            self.looked = now;
            self.household.thin(now);
            chores.unseen = self.household.unseen();
            for process in self.household.present() {
                if book.statements.any_hint.exists([process.as_str()])? {
                    chores.told.push(process);
                }
            }
        }
        let due = self.called_roll.is_none_or(|at| self.household.is_waiting() && now >= at + ROLL_CALL);
        if due {
            self.called_roll = Some(now);
            chores.dead = self.household.dead();
        }
        Ok(chores)
    }

    pub(super) fn succeeded(&mut self) {
        (self.paused_until, self.fault) = (None, None);
    }

    /// Whether it is to be opened anew.
    pub(super) fn failed(&mut self, fault: &Fault) -> bool {
        if self.fault.as_ref() != Some(fault) {
            tracing::warn!(file = %self.path.as_path().display(), ?fault, "the locks' file failed");
        }
        self.fault = Some(fault.clone());
        self.paused_until = Some(Instant::now() + PAUSE);
        !matches!(fault, Fault::Busy(_))
    }

    /// Remembers what must be done sooner or later: no time ends a lease that could not be given back.
    pub(super) fn owe(&mut self, job: &dyn Job) {
        if let Kind::Release(key, lease) = job.kind() {
            self.owed.push((key.clone(), lease.clone()));
        }
    }
}
