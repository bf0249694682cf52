//! The one thread of this process that uses the file: it takes what the channel holds, and commits it together.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use celeriac_sqlite::DatabasePath;
use tokio::sync::oneshot;

use super::{
    book::Book,
    fault::Fault,
    file::File,
    household::Household,
    job::{Job, Jobs, Kind},
    link::Command,
    location::processes,
    transaction::Transaction,
};
use crate::{
    rules::Micros,
    store::{LeaseId, ProcessId},
};

/// How long nothing is tried again of its own accord after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the dead are looked for while somebody waits.
const ROLL_CALL: Duration = Duration::from_millis(50);

/// The most commands that are taken at once.
const MAX_BATCH: usize = 512;

const FOREVER: Duration = Duration::from_secs(3600);

/// What the thread remembers, whether the file is open or not.
pub(super) struct Writer {
    pub(super) path: DatabasePath,
    receiver: Receiver<Command>,
    backlog: VecDeque<Command>,
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
    reached: Micros,
}

/// Why the thread stopped serving a file.
enum Exit {
    /// Nobody is left to ask anything.
    Ended,
    /// The last process of ours has closed, and is to hear of it.
    Idle(oneshot::Sender<()>),
    /// The file under this name is another one now, or none.
    Moved,
    /// It failed, and is opened anew.
    Failed,
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
    fn is_empty(&self) -> bool {
        self.unseen.is_empty() && self.dead.is_empty() && self.told.is_empty() && !self.owed
    }
}

impl Writer {
    pub(super) fn new(path: DatabasePath, receiver: Receiver<Command>) -> Self {
        Self {
            household: Household::new(processes(&path)),
            path,
            receiver,
            backlog: VecDeque::new(),
            owed: Vec::new(),
            paused_until: None,
            fault: None,
            looked: Instant::now(),
            called_roll: None,
            reached: 0,
        }
    }

    /// The life of the thread.
    pub(super) fn run(mut self) {
        let (mut opened, mut moved) = (false, false);
        loop {
            let wait = match (moved, opened && self.is_busy()) {
                (true, _) => Duration::ZERO,
                (false, true) => PAUSE,
                (false, false) => FOREVER,
            };
            if !self.gather(Instant::now() + wait) {
                return;
            }
            self.do_without_file();
            if self.backlog.is_empty() && !self.is_busy() {
                moved = false;
                continue;
            }
            moved = false;
            let file = match File::open(&self.path, &self.household, self.reached) {
                Ok(file) => file,
                Err(fault) => {
                    self.refuse(&fault);
                    continue;
                }
            };
            if opened {
                self.household.resync();
            }
            opened = true;
            let exit = self.serve(&file);
            self.reached = self.reached.max(file.clock.now());
            match exit {
                Ok(Exit::Ended) => return,
                Ok(Exit::Idle(answer)) => {
                    // The last one that has it open folds the log into the file.
                    drop(file);
                    let _ = answer.send(());
                }
                Ok(Exit::Failed) => {}
                Ok(Exit::Moved) => {
                    tracing::warn!(file = %self.path.as_path().display(), "the locks' file was replaced or removed; opening it anew");
                    moved = true;
                }
                Err(fault) => self.refuse(&fault),
            }
        }
    }

    fn serve(&mut self, file: &File) -> Result<Exit, Fault> {
        let mut book = Book::open(file)?;
        (self.paused_until, self.called_roll, self.fault) = (None, None, None);
        loop {
            if file.database.has_moved() {
                return Ok(Exit::Moved);
            }
            let chores = self.look(&mut book)?;
            let (writes, reads) = self.jobs();
            if !writes.is_empty() || !chores.is_empty() {
                let (left, result) = self.transact(file, &mut book, writes, &chores);
                for job in left.into_iter().rev() {
                    self.backlog.push_front(Command::Do(job));
                }
                if let Err(fault) = result
                    && self.failed(&fault)
                {
                    for job in reads {
                        job.finish(Err(&fault));
                    }
                    return Ok(Exit::Failed);
                }
            }
            for job in reads {
                read(job, &mut book, &mut self.household);
            }
            if let Some((process, answer)) = self.closing() {
                self.take_leave(file, &mut book, &process);
                if self.household.is_empty() && self.backlog.is_empty() {
                    return Ok(Exit::Idle(answer));
                }
                // Whoever closes may not wait.
                let _ = answer.send(());
            }
            if !self.gather(self.deadline()) {
                for process in self.household.present() {
                    self.take_leave(file, &mut book, &process);
                }
                return Ok(Exit::Ended);
            }
        }
    }

    /// The next questions, those that may change something and those that don't, until a process closes.
    fn jobs(&mut self) -> (Jobs, Jobs) {
        let mut jobs = Vec::new();
        while let Some(command) = self.backlog.pop_front() {
            match command {
                Command::Open(process, hints) => self.household.enrol(process, hints),
                Command::Do(job) => jobs.push(job),
                close @ Command::Close(..) => {
                    self.backlog.push_front(close);
                    break;
                }
            }
        }
        jobs.into_iter().partition(|job| *job.kind() != Kind::Read)
    }

    /// The process that closes next, when everything before is done.
    fn closing(&mut self) -> Option<(ProcessId, oneshot::Sender<()>)> {
        match self.backlog.pop_front()? {
            Command::Close(process, answer) => Some((process, answer)),
            other => {
                self.backlog.push_front(other);
                None
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
        self.backlog.extend(self.receiver.try_iter().take(MAX_BATCH));
        true
    }

    fn is_busy(&self) -> bool {
        !self.owed.is_empty() || self.household.look_every(Instant::now()).is_some()
    }

    /// When there is something to do without being asked.
    fn deadline(&self) -> Instant {
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
    fn look(&mut self, book: &mut Book<'_>) -> Result<Chores, Fault> {
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
    fn failed(&mut self, fault: &Fault) -> bool {
        if self.fault.as_ref() != Some(fault) {
            tracing::warn!(file = %self.path.as_path().display(), ?fault, "the locks' file failed");
        }
        self.fault = Some(fault.clone());
        self.paused_until = Some(Instant::now() + PAUSE);
        !matches!(fault, Fault::Busy(_))
    }

    /// Does what needs no file.
    fn do_without_file(&mut self) {
        while let Some(command) = self.backlog.pop_front() {
            match command {
                Command::Open(process, hints) => self.household.enrol(process, hints),
                Command::Close(process, answer) if !self.household.is_present(&process) => {
                    self.household.dismiss(&process);
                    let _ = answer.send(());
                }
                other => {
                    self.backlog.push_front(other);
                    return;
                }
            }
        }
    }

    /// Answers all that wait, as the file can't be opened.
    fn refuse(&mut self, fault: &Fault) {
        self.failed(fault);
        for command in std::mem::take(&mut self.backlog) {
            match command {
                Command::Open(process, hints) => self.household.enrol(process, hints),
                Command::Do(job) => {
                    self.owe(job.as_ref());
                    job.finish(Err(fault));
                }
                // Its sign of life ends, so others clear away what it has left.
                Command::Close(process, answer) => {
                    self.household.dismiss(&process);
                    let _ = answer.send(());
                }
            }
        }
    }

    /// Remembers what must be done sooner or later: no time ends a lease that could not be given back.
    pub(super) fn owe(&mut self, job: &dyn Job) {
        if let Kind::Release(key, lease) = job.kind() {
            self.owed.push((key.clone(), lease.clone()));
        }
    }
}

fn read(mut job: Box<dyn Job>, book: &mut Book<'_>, household: &mut Household) {
    let result = job.run(&mut Transaction::new(book, household));
    job.finish(result.as_ref().copied());
}
