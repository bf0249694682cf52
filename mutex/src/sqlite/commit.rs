//! Group commit: many questions, one `BEGIN IMMEDIATE .. COMMIT`.

use std::time::{Duration, Instant};

use celeriac_sqlite::{Synchronous, holder};

use super::{
    book::Book,
    fault::Fault,
    file::File,
    job::{Jobs, Kind},
    transaction::Transaction,
    writer::{Chores, Writer},
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

impl Writer {
    /// Asks, does what else is to be done, commits and answers. Returns what there was no time for.
    pub(super) fn transact(
        &mut self,
        file: &File,
        book: &mut Book<'_>,
        mut jobs: Jobs,
        chores: &Chores,
    ) -> (Jobs, Result<(), Fault>) {
        let lasting = jobs.iter().any(|job| *job.kind() == Kind::Setting);
        let result = self.commit(file, book, lasting, |writer, book| writer.together(book, &mut jobs, chores));
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
                for (process, hint) in progress.told {
                    self.household.tell(&process, hint);
                }
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

    /// Removes what a process of ours holds, and its sign of life.
    pub(super) fn take_leave(&mut self, file: &File, book: &mut Book<'_>, process: &ProcessId) {
        let left = self.household.dismiss(process);
        let Some(presence) = left else { return };
        let result = self.commit(file, book, false, |writer, book| {
            let mut transaction = Transaction::new(book, &mut writer.household);
            transaction.clear(process)?;
            Ok(Progress { told: transaction.told, ..Progress::default() })
        });
        match result {
            Ok(progress) => {
                presence.withdraw();
                for (process, hint) in progress.told {
                    self.household.tell(&process, hint);
                }
            }
            // Its file stays, and is free now: another process finds it dead.
            Err(fault) => {
                tracing::warn!(file = %self.path.as_path().display(), ?fault, "others give back what this process held");
            }
        }
    }

    fn commit(
        &mut self,
        file: &File,
        book: &mut Book<'_>,
        lasting: bool,
        change: impl FnOnce(&mut Self, &mut Book<'_>) -> Result<Progress, Fault>,
    ) -> Result<Progress, Fault> {
        let _turn = file.database.turnstile.enter()?;
        if lasting {
            file.database.set_synchronous(Synchronous::Full)?;
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
            // It fails where there is nothing to roll back.
            Err(_) => drop(book.connection.execute_batch("ROLLBACK")),
        }
        if lasting {
            file.database.set_synchronous(Synchronous::Normal)?;
        }
        result
    }

    fn together(&mut self, book: &mut Book<'_>, jobs: &mut Jobs, chores: &Chores) -> Result<Progress, Fault> {
        let mut progress = Progress::default();
        for process in &chores.unseen {
            self.household.reappear(process)?;
            progress.told.push((process.clone(), Hint::Resync));
        }
        let mut transaction = Transaction::new(book, &mut self.household);
        for (key, lease) in self.owed.iter().filter(|_| chores.owed) {
            transaction.release(key, lease)?;
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
}
