use std::time::{Duration, Instant};

use celeriac_sqlite::{Database, DatabasePath, Prepared, Synchronous};
use rusqlite::Connection;

use super::{
    book::{Book, Tidied},
    clock::{Clock, signed, unsigned},
    fault::Fault,
    household::Household,
    schema::SCHEMA,
    statements::Statements,
};
use crate::rules::{Micros, micros};

/// How long those who held leases in a file that was removed have to say so in the new one, before others are granted them.
const GRACE: Duration = Duration::from_secs(2);

/// How often those who ask look whether the name stands for another file: to look costs a tenth of a question. Far below [`GRACE`], in which
/// the new file grants nothing.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// How often those who ask look whether another process waits for its turn, which they pass by in between: that halves the cost of a turn.
const QUEUED_EVERY: Duration = Duration::from_millis(1);

/// How many commits the write-ahead log takes before it is folded into the file. Those of one lock all write the same page, and SQLite finds
/// the place for the next of them by going past all the others. 1000 is its own default.
pub(super) const FOLDED_AFTER: usize = 1000;

/// A log of this size was not folded by those who wrote it, as they came and went.
const LARGE_LOG: u64 = 32 << 20;

/// The open file, and how far it has been tidied.
#[derive(Debug)]
pub(super) struct File {
    prepared: Prepared,
    pub(super) clock: Clock,
    grace_until: Option<Micros>,
    tidied: Tidied,
    /// How many commits are in the log.
    unfolded: usize,
    /// When the name was last looked at.
    looked: Instant,
    /// When somebody last looked whether another waits for its turn, and nobody did.
    queued: Instant,
}

impl File {
    /// Opens it, and makes it where it is not there. `reached` is what a clock has shown before.
    pub(super) fn open(path: &DatabasePath, household: &Household, reached: Micros) -> Result<Self, Fault> {
        // A commit need not outlive a power cut: nobody who holds a lease does.
        let begin = |connection: &Connection| begin(connection, household, reached);
        let (database, (clock, grace_until)) = Database::open(path, Synchronous::Normal, begin)?;
        // SQLite would do it on the thread of whoever comes last, and that waits for the disk.
        database.connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
        let log = std::fs::metadata(path.beside("-wal")).map_or(0, |log| log.len());
        let unfolded = if log > LARGE_LOG { FOLDED_AFTER } else { 0 };
        let tidied = Tidied::read(&database.connection)?;
        let prepared = Prepared::new(database, Statements::TEXTS)?;
        let now = Instant::now();
        Ok(Self { prepared, clock, grace_until, tidied, unfolded, looked: now, queued: now })
    }

    /// Lends the file, with its statements.
    pub(super) fn with<T>(
        &mut self,
        act: impl for<'c> FnOnce(&'c Database, &mut Book<'_, 'c>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Self { prepared, clock, grace_until, tidied, .. } = self;
        prepared.with(|database, statements| {
            let statements = Statements::lent(statements);
            let statements = statements.ok_or_else(|| Fault::Refused("its statements were not prepared".into()))?;
            let connection = &database.connection;
            act(database, &mut Book { connection, statements, clock, grace_until: *grace_until, tidied })
        })
    }

    /// Whether the name stands for another file by now.
    pub(super) fn has_moved(&mut self) -> bool {
        self.looked = Instant::now();
        self.prepared.database().has_moved()
    }

    /// The same, as of the last [`LOOKED_EVERY`].
    pub(super) fn had_moved(&mut self) -> bool {
        self.looked.elapsed() >= LOOKED_EVERY && self.has_moved()
    }

    /// Whether it is time to look if another waits for its turn.
    pub(super) fn must_queue(&self) -> bool {
        self.queued.elapsed() >= QUEUED_EVERY
    }

    /// Somebody has looked, and nobody does.
    pub(super) fn has_queued(&mut self) {
        self.queued = Instant::now();
    }

    pub(super) fn committed(&mut self, questions: usize) {
        self.unfolded += questions.max(1);
    }

    /// Whether the log is long enough to be folded into the file.
    pub(super) fn is_to_be_folded(&self) -> bool {
        self.unfolded >= FOLDED_AFTER
    }

    /// Folds the log into the file, and forces that to disk. Readers may keep a part of it back, which the next time finds.
    pub(super) fn fold(&mut self) -> Result<(), Fault> {
        self.unfolded = 0;
        Ok(self.prepared.database().connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
    }
}

fn begin(connection: &Connection, household: &Household, reached: Micros) -> Result<(Clock, Option<Micros>), Fault> {
    let is_new = SCHEMA.migrate(connection)?;
    let clock = Clock::open(connection, reached)?;
    // Nobody is present before there are tables, so whoever is present had others.
    let survivors =
        || !household.present().is_empty() || household.others().iter().any(|process| !household.is_dead(process));
    if is_new && survivors() {
        let until = signed(clock.now() + micros(GRACE));
        connection.execute("UPDATE celeriac_lock_clock SET grace_until = ?1", [until])?;
    }
    let grace = "SELECT grace_until FROM celeriac_lock_clock";
    let grace: Option<i64> = connection.query_row(grace, [], |row| row.get(0))?;
    Ok((clock, grace.map(unsigned)))
}
