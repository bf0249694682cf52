//! The one thread of this process that opens the file, waits for its turn, and does what nobody asked for: it takes what the channel holds,
//! and commits it together.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    fault::Fault,
    file::File,
    job::{Jobs, Kind},
    keeper::{Keeper, PAUSE},
    link::Command,
    shared::{Shared, State},
    transaction::Transaction,
};
use crate::store::ProcessId;

/// The most commands that are taken at once.
const MAX_BATCH: usize = 512;

const FOREVER: Duration = Duration::from_secs(3600);

/// The thread, and what it was given to do.
pub(super) struct Writer {
    shared: Arc<Shared>,
    receiver: Receiver<Command>,
    backlog: VecDeque<Command>,
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

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, receiver: Receiver<Command>) -> Self {
        Self { shared, receiver, backlog: VecDeque::new() }
    }

    /// The life of the thread.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        let (mut opened, mut wait) = (false, FOREVER);
        loop {
            if !self.gather(Instant::now() + wait) {
                return;
            }
            let mut state = shared.lock();
            self.do_without_file(&mut state.keeper);
            if !self.backlog.is_empty() || (opened && state.keeper.is_busy()) {
                match File::open(&state.keeper.path, &state.keeper.household, state.keeper.reached) {
                    Ok(file) => state.file = Some(file),
                    Err(fault) => self.refuse(&mut state.keeper, &fault),
                }
            }
            let mut moved = false;
            if state.file.is_some() {
                if opened {
                    state.keeper.household.resync();
                }
                opened = true;
                state.keeper.begin();
                drop(state);
                match self.serve(&shared) {
                    Ok(Exit::Ended) => return,
                    // The last one that has it open has folded the log into the file.
                    Ok(Exit::Idle(answer)) => drop(answer.send(())),
                    Ok(Exit::Failed) => {}
                    Ok(Exit::Moved) => moved = true,
                    Err(fault) => self.refuse(&mut shared.lock().keeper, &fault),
                }
                state = shared.lock();
            }
            wait = match (moved, opened && state.keeper.is_busy()) {
                (true, _) => Duration::ZERO,
                (false, true) => PAUSE,
                (false, false) => FOREVER,
            };
        }
    }

    /// Until there is a reason to stop; then the file is closed.
    fn serve(&mut self, shared: &Shared) -> Result<Exit, Fault> {
        loop {
            let mut state = shared.lock();
            let exit = self.round(&mut state);
            if !matches!(exit, Ok(None)) {
                state.close();
                return exit.map(|exit| exit.unwrap_or(Exit::Failed));
            }
            let deadline = state.rest();
            drop(state);
            if !self.gather(deadline) {
                let state = &mut *shared.lock();
                if let State { keeper, file: Some(file), .. } = state {
                    for process in keeper.household.present() {
                        keeper.take_leave(file, &process);
                    }
                }
                state.close();
                return Ok(Exit::Ended);
            }
        }
    }

    /// Does what was asked, and what is to be done anyway.
    fn round(&mut self, state: &mut State) -> Result<Option<Exit>, Fault> {
        let State { keeper, file: Some(file), .. } = state else { return Ok(Some(Exit::Failed)) };
        if file.has_moved() {
            tracing::warn!(file = %keeper.path.as_path().display(), "the locks' file was replaced or removed; opening it anew");
            return Ok(Some(Exit::Moved));
        }
        let chores = file.with(|_, book| keeper.look(book))?;
        let (writes, reads) = self.jobs(keeper);
        if !writes.is_empty() || !chores.is_empty() {
            let (left, result) = keeper.transact(file, writes, &chores);
            for job in left.into_iter().rev() {
                self.backlog.push_front(Command::Do(job));
            }
            if let Err(fault) = result
                && keeper.failed(&fault)
            {
                for job in reads {
                    job.finish(Err(&fault));
                }
                return Ok(Some(Exit::Failed));
            }
        }
        for mut job in reads {
            let result = file.with(|_, book| job.run(&mut Transaction::new(book, &mut keeper.household)));
            job.finish(result.as_ref().copied());
        }
        if file.is_to_be_folded()
            && let Err(fault) = keeper.fold(file)
            && keeper.failed(&fault)
        {
            return Ok(Some(Exit::Failed));
        }
        if let Some((process, answer)) = self.closing() {
            keeper.take_leave(file, &process);
            if keeper.household.is_empty() && self.backlog.is_empty() {
                return Ok(Some(Exit::Idle(answer)));
            }
            // Whoever closes may not wait.
            let _ = answer.send(());
        }
        Ok(None)
    }

    /// The next questions, those that may change something and those that don't, until a process closes.
    fn jobs(&mut self, keeper: &mut Keeper) -> (Jobs, Jobs) {
        let mut jobs = Vec::new();
        while let Some(command) = self.backlog.pop_front() {
            match command {
                Command::Open(process, hints, _queued) => keeper.household.enrol(process, hints),
                Command::Do(job) => jobs.push(job),
                Command::Look => {}
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
            Command::Close(process, answer, queued) => {
                drop(queued);
                Some((process, answer))
            }
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

    /// Does what needs no file.
    fn do_without_file(&mut self, keeper: &mut Keeper) {
        while let Some(command) = self.backlog.pop_front() {
            match command {
                Command::Open(process, hints, _queued) => keeper.household.enrol(process, hints),
                Command::Look => {}
                Command::Close(process, answer, _queued) if !keeper.household.is_present(&process) => {
                    keeper.household.dismiss(&process);
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
    fn refuse(&mut self, keeper: &mut Keeper, fault: &Fault) {
        keeper.failed(fault);
        for command in std::mem::take(&mut self.backlog) {
            match command {
                Command::Open(process, hints, _queued) => keeper.household.enrol(process, hints),
                Command::Do(job) => {
                    keeper.owe(job.as_ref());
                    job.finish(Err(fault));
                }
                // Its sign of life ends, so others clear away what it has left.
                Command::Look => {}
                Command::Close(process, answer, _queued) => {
                    keeper.household.dismiss(&process);
                    let _ = answer.send(());
                }
            }
        }
    }
}
