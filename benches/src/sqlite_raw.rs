//! The raw database: rows in batches of 64, each batch a transaction.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use crate::Failure;

const BATCH: u32 = 64;

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
CREATE TABLE task (id INTEGER PRIMARY KEY, queue TEXT, state INTEGER, run_at INTEGER, prio INTEGER, owner INTEGER, payload BLOB);
CREATE INDEX ready ON task (queue, prio DESC, run_at, id) WHERE state = 0;";

const CLAIM: &str = "UPDATE task SET state = 1, owner = 1 WHERE id IN
(SELECT id FROM task WHERE state = 0 AND queue = 'bench' ORDER BY prio DESC, run_at, id LIMIT ?1) RETURNING id, payload";

/// A table of tasks in a file.
pub(crate) struct RawSqlite(Connection);

impl RawSqlite {
    pub(crate) fn create(path: &Path, synchronous: &str) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        Ok(Self(connection))
    }

    /// Inserts tasks.
    pub(crate) fn insert(&self, count: u64, body: &[u8]) -> Result<Duration, Failure> {
        let mut insert =
            self.0.prepare("INSERT INTO task (queue, state, run_at, prio, payload) VALUES ('bench', 0, 0, 0, ?1)")?;
        let begin = Instant::now();
        for _ in 0..count.div_ceil(u64::from(BATCH)) {
            self.0.execute_batch("BEGIN IMMEDIATE")?;
            for _ in 0..BATCH {
                insert.execute([body])?;
            }
            self.0.execute_batch("COMMIT")?;
        }
        Ok(begin.elapsed())
    }

    /// Claims a batch in one transaction, deletes it in the next, until none is left.
    pub(crate) fn claim_and_delete(&self) -> Result<Duration, Failure> {
        let mut claim = self.0.prepare(CLAIM)?;
        let mut delete = self.0.prepare("DELETE FROM task WHERE id = ?1 AND owner = 1")?;
        let begin = Instant::now();
        loop {
            self.0.execute_batch("BEGIN IMMEDIATE")?;
            let rows = claim.query_map([BATCH], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
            let claimed = rows.collect::<Result<Vec<_>, _>>()?;
            self.0.execute_batch("COMMIT")?;
            if claimed.is_empty() {
                return Ok(begin.elapsed());
            }
            self.0.execute_batch("BEGIN IMMEDIATE")?;
            for (id, _) in &claimed {
                delete.execute([id])?;
            }
            self.0.execute_batch("COMMIT")?;
        }
    }
}
