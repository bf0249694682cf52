use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;

/// What brings a file from the version before to this one, in order; the first one makes the tables.
///
/// The version stands in a table that broker and locks share, a row for each. Instants are microseconds since 1970 by our own clock.
///
/// Who holds a lock stands in its row: taking a free lock writes one page. `celeriac_lock_crowd` counts those who wait, 128 ranks at a time,
/// so that a position is known without counting everybody.
const STEPS: &[&str] = &["
CREATE TABLE celeriac_lock (
    key TEXT PRIMARY KEY,
    leases INTEGER,
    resized INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    ranks INTEGER NOT NULL,
    mean_hold INTEGER,
    reassert_until INTEGER,
    bypassed_lease TEXT,
    bypassed INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    holders TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE celeriac_lock_waiter (
    key TEXT NOT NULL,
    parked INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    lease TEXT NOT NULL,
    process TEXT NOT NULL,
    weight INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    due INTEGER,
    owner TEXT NOT NULL,
    PRIMARY KEY (key, parked, rank)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX celeriac_lock_waiter_lease ON celeriac_lock_waiter (key, lease);
CREATE INDEX celeriac_lock_waiter_until ON celeriac_lock_waiter (key, until, rank);
CREATE TABLE celeriac_lock_crowd (
    key TEXT NOT NULL,
    parked INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    waiters INTEGER NOT NULL,
    PRIMARY KEY (key, parked, bucket)
) STRICT, WITHOUT ROWID;
CREATE TABLE celeriac_lock_hint (
    process TEXT NOT NULL,
    lease TEXT NOT NULL,
    key TEXT NOT NULL,
    after INTEGER,
    PRIMARY KEY (process, lease)
) STRICT, WITHOUT ROWID;
CREATE TABLE celeriac_lock_clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    ahead INTEGER NOT NULL,
    reached INTEGER NOT NULL,
    swept TEXT NOT NULL DEFAULT '',
    grace_until INTEGER
) STRICT;
CREATE TABLE celeriac_rate (
    key TEXT PRIMARY KEY,
    back_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"];

/// The version that this program writes.
#[allow(clippy::cast_possible_wrap, reason = "the number of steps is small")]
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Brings the file to this program's version, in a transaction of the caller's. `true` where it had no tables of ours.
pub(super) fn migrate(connection: &Connection) -> Result<bool, Fault> {
    let found = version(connection)?;
    let Some(steps) = usize::try_from(found).ok().and_then(|found| STEPS.get(found..)) else {
        return Err(Fault::Refused(format!(
            "it has version {found} of the locks' tables, and this program knows versions up to {VERSION}; update this program"
        )));
    };
    for step in steps {
        connection.execute_batch(step)?;
    }
    if !steps.is_empty() {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS celeriac_version (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
        )?;
        connection.execute(
            "INSERT INTO celeriac_version VALUES ('locks', ?1) ON CONFLICT (part) DO UPDATE SET version = ?1",
            params![VERSION],
        )?;
    }
    Ok(found == 0)
}

/// The version of the locks' tables in a file; 0 where there are none.
pub(super) fn version(connection: &Connection) -> Result<i64, Fault> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'celeriac_version'";
    if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    let found = "SELECT version FROM celeriac_version WHERE part = 'locks'";
    Ok(connection.query_row(found, [], |row| row.get(0)).optional()?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(migrate(&connection).unwrap());
        assert!(!migrate(&connection).unwrap());
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();
        connection.execute("UPDATE celeriac_version SET version = ?1", [VERSION + 1]).unwrap();
        let Err(Fault::Refused(message)) = migrate(&connection) else { panic!("it was opened") };
        assert!(message.contains("update this program"), "{message}");
        assert_eq!(version(&connection).unwrap(), VERSION + 1);
    }

    #[test]
    fn the_brokers_version_is_not_ours() {
        let connection = Connection::open_in_memory().unwrap();
        let broker = "CREATE TABLE celeriac_version (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
            INSERT INTO celeriac_version VALUES ('broker', 7)";
        connection.execute_batch(broker).unwrap();
        assert!(migrate(&connection).unwrap());
        let broker = "SELECT version FROM celeriac_version WHERE part = 'broker'";
        assert_eq!(connection.query_row(broker, [], |row| row.get::<_, i64>(0)).unwrap(), 7);
    }
}
