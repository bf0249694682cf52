use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{
    clock::Clock, fault::Fault, filesystem, household::Household, location::Location, schema, turnstile::Turnstile,
};
use crate::rules::{Micros, micros};

/// How long SQLite waits for programs that write the file without queueing at the turnstile.
const FOREIGN_WRITERS: Duration = Duration::from_secs(2);

/// How long those who held leases in a file that was removed have to say so in the new one, before others are granted them.
const GRACE: Duration = Duration::from_secs(2);

/// The open database and the locks beside it.
pub(super) struct File {
    pub(super) connection: Connection,
    pub(super) turnstile: Turnstile,
    pub(super) clock: Clock,
    pub(super) grace_until: Option<Micros>,
    identity: Option<(u64, u64)>,
}

impl File {
    /// Opens it, and makes it where it is not there. `reached` is what a clock has shown before.
    pub(super) fn open(location: &Location, household: &Household, reached: Micros) -> Result<Self, Fault> {
        filesystem::check(location.folder())?;
        let turnstile = Turnstile::open(location)?;
        let turn = turnstile.enter()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&location.path, flags)?;
        prepare(&connection)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        // Closing the connection rolls back.
        let (clock, grace_until) = begin(&connection, household, reached)?;
        connection.execute_batch("COMMIT")?;
        drop(turn);
        Ok(Self { connection, turnstile, clock, grace_until, identity: identity(&location.path) })
    }

    /// Whether the name stands for another file by now. Who writes on would write into nothing.
    pub(super) fn has_moved(&self, location: &Location) -> bool {
        identity(&location.path) != self.identity
    }

    /// Chooses whether a commit outlives a power cut, which nobody who holds a lease does.
    pub(super) fn keep_through_power_cuts(&self, keep: bool) -> rusqlite::Result<()> {
        self.connection.execute_batch(if keep { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })
    }
}

fn prepare(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(FOREIGN_WRITERS)?;
    let journal: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(Fault::Refused(format!("its journal mode stays {journal:?}, and several processes need WAL")));
    }
    Ok(connection.execute_batch("PRAGMA synchronous = NORMAL")?)
}

fn begin(connection: &Connection, household: &Household, reached: Micros) -> Result<(Clock, Option<Micros>), Fault> {
    let is_new = schema::migrate(connection)?;
    let clock = Clock::open(connection, reached)?;
    // Nobody is present before there are tables, so whoever is present had others.
    let survivors =
        || !household.present().is_empty() || household.others().iter().any(|process| !household.is_dead(process));
    if is_new && survivors() {
        let until = super::clock::signed(clock.now() + micros(GRACE));
        connection.execute("UPDATE celeriac_lock_clock SET grace_until = ?1", [until])?;
    }
    let grace = "SELECT grace_until FROM celeriac_lock_clock";
    let grace: Option<i64> = connection.query_row(grace, [], |row| row.get(0))?;
    Ok((clock, grace.map(super::clock::unsigned)))
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}
