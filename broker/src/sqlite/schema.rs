use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Fault;

/// What brings a file from the version before to this one, in order; the first one makes the tables.
///
/// The version stands in a table, not in `user_version`: locks and results may live in the same file, each with its own.
/// `state` is 0 ready, 1 delayed, 2 claimed. Instants are microseconds since 1970.
const STEPS: &[&str] = &["
CREATE TABLE celeriac_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE celeriac_message (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    owner INTEGER,
    head BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX celeriac_message_ready ON celeriac_message (queue, priority DESC, ready_at, id, deliveries) WHERE state = 0;
CREATE INDEX celeriac_message_suspect ON celeriac_message (queue, deliveries) WHERE state = 0 AND deliveries > 0;
CREATE INDEX celeriac_message_delayed ON celeriac_message (ready_at, queue) WHERE state = 1;
CREATE INDEX celeriac_message_claimed ON celeriac_message (owner, queue) WHERE state = 2;
CREATE TABLE celeriac_process (
    id INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE celeriac_consumer (
    process INTEGER NOT NULL,
    queue TEXT NOT NULL,
    consumers INTEGER NOT NULL,
    PRIMARY KEY (process, queue)
) STRICT, WITHOUT ROWID;
"];

/// The version that this program writes.
#[allow(clippy::cast_possible_wrap, reason = "the number of steps is small")]
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// Brings the file to this program's version. The caller holds the turn to write.
pub(super) fn migrate(connection: &Connection) -> Result<(), Fault> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    match step_up(connection) {
        Ok(()) => Ok(connection.execute_batch("COMMIT")?),
        Err(fault) => {
            // What failed is what matters; closing the connection rolls back too.
            let _ = connection.execute_batch("ROLLBACK");
            Err(fault)
        }
    }
}

fn step_up(connection: &Connection) -> Result<(), Fault> {
    let found = version(connection)?;
    let Some(steps) = usize::try_from(found).ok().and_then(|found| STEPS.get(found..)) else {
        return Err(Fault::Failed(format!(
            "it has version {found} of the broker's tables, and this program knows versions up to {VERSION}; update this program"
        )));
    };
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        connection.execute_batch(step)?;
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS celeriac_version (part TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT",
    )?;
    connection.execute(
        "INSERT INTO celeriac_version VALUES ('broker', ?1) ON CONFLICT (part) DO UPDATE SET version = ?1",
        params![VERSION],
    )?;
    Ok(())
}

/// The version of the broker's tables in a file; 0 where there are none.
pub(super) fn version(connection: &Connection) -> Result<i64, Fault> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'celeriac_version'";
    if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    let found = "SELECT version FROM celeriac_version WHERE part = 'broker'";
    Ok(connection.query_row(found, [], |row| row.get(0)).optional()?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();
        migrate(&connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();
        connection.execute("UPDATE celeriac_version SET version = ?1", [VERSION + 1]).unwrap();
        let Err(Fault::Failed(message)) = migrate(&connection) else { panic!("it was opened") };
        assert!(message.contains("update this program"), "{message}");
        assert_eq!(version(&connection).unwrap(), VERSION + 1);
    }
}
