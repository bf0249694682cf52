use std::time::Duration;

use celeriac_sqlite::{Database, DatabasePath, Synchronous};
use rusqlite::Connection;

use super::{
    clock::{Clock, signed, unsigned},
    fault::Fault,
    household::Household,
    schema::SCHEMA,
};
use crate::rules::{Micros, micros};

/// How long those who held leases in a file that was removed have to say so in the new one, before others are granted them.
const GRACE: Duration = Duration::from_secs(2);

/// The open database, and what its tables say of the time.
pub(super) struct File {
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) grace_until: Option<Micros>,
}

impl File {
    /// Opens it, and makes it where it is not there. `reached` is what a clock has shown before.
    pub(super) fn open(path: &DatabasePath, household: &Household, reached: Micros) -> Result<Self, Fault> {
        // A commit need not outlive a power cut: nobody who holds a lease does.
        let begin = |connection: &Connection| begin(connection, household, reached);
        let (database, (clock, grace_until)) = Database::open(path, Synchronous::Normal, begin)?;
        Ok(Self { database, clock, grace_until })
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
