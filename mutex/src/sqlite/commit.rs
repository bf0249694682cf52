//! Group commit: many questions, one `BEGIN IMMEDIATE .. COMMIT`; and one question alone, where nobody has to wait for anything.

use std::time::{Duration, Instant};

use celeriac_sqlite::{Database, Synchronous, holder};

use super::{
    book::Book,
    clock::signed,
    fault::Fault,
    file::File,
    job::{Jobs, Kind},
    keeper::{Chores, Keeper},
    transaction::Transaction,
};
use crate::store::{Hint, ProcessId};

/// How long a transaction takes questions, so that other processes have their turn.
const SLICE: Duration = Duration::from_millis(15);

/// What one transaction did so far; it holds when it is committed.
#[derive(Default)]
struct Progress {
    asked: usize,
    /// The dead of whom nothing is left but their file.
    buried: Vec<ProcessId>,
    told: Vec<(ProcessId, Hint)>,
}

impl Keeper {
    /// Asks, does what else is to be done, commits and answers. Returns what there was no time for.
    pub(super) fn transact(&mut self, file: &mut File, mut jobs: Jobs, chores: &Chores) -> (Jobs, Result<(), Fault>) {
        let lasting = jobs.iter().any(|job| *job.kind() == Kind::Setting);
        let result = self.commit(file, lasting, |keeper, book| keeper.together(book, &mut jobs, chores));
        match result {
            Ok(progress) => {
                self.succeeded();
                if chores.owed {
                    self.owed.clear();
                }
                let left = jobs.split_off(progress.asked);
                for job in jobs {
                    job.finish(Ok(()));
                }
                self.tell(progress.told);
                (left, Ok(()))
            }
            Err(fault) => {
                for job in jobs {
                    self.owe(job.as_ref());
                    job.finish(Err(&fault));
                }
                (Vec::new(), Err(fault))
            }
        }
    }

    /// Asks one question, if nothing and nobody is in the way. `None`: nothing has happened.
    pub(super) fn at_once<T>(
        &mut self,
        file: &mut File,
        act: impl FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault>,
    ) -> Option<T> {
        if !self.is_calm() || file.had_moved() {
            return None;
        }
        let must_queue = file.must_queue();
        let result = file.with(|database, book| {
            let turnstile = &database.turnstile;
            let turn = if must_queue { turnstile.try_enter()? } else { turnstile.try_pass()? };
            let Some(_turn) = turn else { return Ok(None) };
            database.wait_for_foreign_writers(false)?;
            let result = alone(book, self, act);
            // Whoever comes next finds the connection as it was.
            if result.is_err() {
                roll_back(database);
            }
            database.wait_for_foreign_writers(true)?;
            result.map(Some)
        });
        // What has failed is tried again by the thread, which says so.
        let (value, told) = result.ok()??;
        if must_queue {
            file.has_queued();
        }
        file.committed(1);
        self.tell(told);
        Some(value)
    }

    /// Removes what a process of ours holds, and its sign of life.
    pub(super) fn take_leave(&mut self, file: &mut File, process: &ProcessId) {
        let left = self.household.dismiss(process);
        let Some(presence) = left else { return };
        let result = self.commit(file, false, |keeper, book| {
            let mut transaction = Transaction::new(book, &mut keeper.household);
            transaction.clear(process)?;
            Ok(Progress { told: transaction.told, ..Progress::default() })
        });
        match result {
            Ok(progress) => {
                presence.withdraw();
                self.tell(progress.told);
            }
            // Its file stays, and is free now: another process finds it dead.
            Err(fault) => {
                tracing::warn!(file = %self.path.as_path().display(), ?fault, "others give back what this process held");
            }
        }
    }

    /// Folds the log into the file, and begins it anew: whoever writes first does so, and waits for the disk.
    pub(super) fn fold(&mut self, file: &mut File) -> Result<(), Fault> {
        file.fold()?;
        let reach = |_: &mut Self, book: &mut Book<'_, '_>| {
            book.statements.set_reached.execute([signed(book.clock.now())])?;
            Ok(Progress::default())
        };
        self.commit(file, false, reach).map(drop)
    }

    fn commit(
        &mut self,
        file: &mut File,
        lasting: bool,
        change: impl FnOnce(&mut Self, &mut Book<'_, '_>) -> Result<Progress, Fault>,
    ) -> Result<Progress, Fault> {
        let progress = file.with(|database, book| {
            let _turn = database.turnstile.enter()?;
            if lasting {
                database.set_synchronous(Synchronous::Full)?;
            }
            let result = match book.statements.begin.execute([]).map_err(Fault::from) {
                Ok(_) => change(self, book).and_then(|progress| {
                    book.statements.commit.execute([])?;
                    Ok(progress)
                }),
                Err(Fault::Busy(_)) => Err(Fault::Busy(holder(&self.path))),
                Err(fault) => Err(fault),
            };
            match &result {
                // While nobody else has the turn.
                Ok(progress) => progress.buried.iter().for_each(|process| self.household.buried(process)),
                Err(_) => roll_back(database),
            }
            if lasting {
                database.set_synchronous(Synchronous::Normal)?;
            }
            result
        })?;
        file.committed(progress.asked);
        Ok(progress)
    }

    fn together(&mut self, book: &mut Book<'_, '_>, jobs: &mut Jobs, chores: &Chores) -> Result<Progress, Fault> {
        let mut progress = Progress::default();
        for process in &chores.unseen {
            self.household.reappear(process)?;
            progress.told.push((process.clone(), Hint::Resync));
        }
        let mut transaction = Transaction::new(book, &mut self.household);
        for (key, lease) in self.owed.iter().filter(|_| chores.owed) {
            transaction.release(key, lease, None)?;
        }
        for process in &chores.dead {
            // Whoever comes first clears it away, and removes its file before anybody else has the turn.
            if transaction.household.has_left(process) {
                tracing::info!(%process, "a process has died; its leases are given back");
                transaction.clear(process)?;
                progress.buried.push(process.clone());
            }
        }
        for process in &chores.told {
            transaction.household.stir();
            for hint in transaction.hear(process)? {
                transaction.told.push((process.clone(), hint));
            }
        }
        let started = Instant::now();
        for job in jobs {
            if progress.asked > 0 && started.elapsed() > SLICE {
                break;
            }
            job.run(&mut transaction)?;
            progress.asked += 1;
        }
        progress.told.append(&mut transaction.told);
        Ok(progress)
    }

    fn tell(&self, told: Vec<(ProcessId, Hint)>) {
        for (process, hint) in told {
            self.household.tell(&process, hint);
        }
    }
}

/// One question in a transaction; with what is to be told to whom.
fn alone<T>(
    book: &mut Book<'_, '_>,
    keeper: &mut Keeper,
    act: impl FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault>,
) -> Result<(T, Vec<(ProcessId, Hint)>), Fault> {
    book.statements.begin.execute([])?;
    let mut transaction = Transaction::new(book, &mut keeper.household);
    let value = act(&mut transaction)?;
    let told = transaction.told;
    book.statements.commit.execute([])?;
    Ok((value, told))
}

fn roll_back(database: &Database) {
    // It fails where there is nothing to roll back.
    drop(database.connection.execute_batch("ROLLBACK"));
}
