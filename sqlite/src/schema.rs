use rusqlite::{Connection, OptionalExtension, params};

use crate::Fault;

/// The tables of one store. Several may be in one file: the version of each is a row of a table, since there is but one `user_version`.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// The row.
    pub part: &'static str,
    /// What brings a file from the version before to the next, in order; the first step makes the tables.
    pub steps: &'static [&'static str],
}

impl Schema {
    /// The version that this program writes.
    pub const fn version(&self) -> i64 {
        #[allow(clippy::cast_possible_wrap, reason = "the number of steps is small")]
        {
            self.steps.len() as i64
        }
    }

    /// Brings the file to this program's version, in a transaction of the caller's. `true` where it had no such tables.
    ///
    /// # Errors
    ///
    /// [`Fault::Refused`] where the file was written by a later version.
    pub fn migrate(&self, connection: &Connection) -> Result<bool, Fault> {
        let (found, part, version) = (self.found(connection)?, self.part, self.version());
        let Some(steps) = usize::try_from(found).ok().and_then(|found| self.steps.get(found..)) else {
            return Err(Fault::Refused(format!(
                "its tables for {part} have version {found}, and this program knows versions up to {version}; update this program"
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
                "INSERT INTO celeriac_version VALUES (?1, ?2) ON CONFLICT (part) DO UPDATE SET version = ?2",
                params![part, version],
            )?;
        }
        Ok(found == 0)
    }

    /// The version of the tables in a file; 0 where there are none.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn found(&self, connection: &Connection) -> rusqlite::Result<i64> {
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'celeriac_version'";
        if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(0);
        }
        let found = "SELECT version FROM celeriac_version WHERE part = ?1";
        Ok(connection.query_row(found, [self.part], |row| row.get(0)).optional()?.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Schema = Schema { part: "one", steps: &["CREATE TABLE a (id)", "CREATE TABLE b (id)"] };
    const OTHER: Schema = Schema { part: "other", steps: &["CREATE TABLE c (id)"] };

    #[test]
    fn migrating_twice_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(ONE.migrate(&connection).unwrap());
        assert!(!ONE.migrate(&connection).unwrap());
        assert_eq!(ONE.found(&connection).unwrap(), 2);
    }

    #[test]
    fn an_older_file_gets_the_steps_that_it_lacks() {
        let connection = Connection::open_in_memory().unwrap();
        Schema { steps: &ONE.steps[..1], ..ONE }.migrate(&connection).unwrap();
        assert!(!ONE.migrate(&connection).unwrap());
        connection.execute_batch("SELECT * FROM a, b").unwrap();
    }

    #[test]
    fn a_newer_file_is_refused_and_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        ONE.migrate(&connection).unwrap();
        connection.execute("UPDATE celeriac_version SET version = 3", []).unwrap();
        let Err(Fault::Refused(message)) = ONE.migrate(&connection) else { panic!("it was opened") };
        assert!(message.contains("update this program"), "{message}");
        assert_eq!(ONE.found(&connection).unwrap(), 3);
    }

    #[test]
    fn each_store_has_a_version_of_its_own() {
        let connection = Connection::open_in_memory().unwrap();
        assert!(ONE.migrate(&connection).unwrap() && OTHER.migrate(&connection).unwrap());
        assert_eq!((ONE.found(&connection).unwrap(), OTHER.found(&connection).unwrap()), (2, 1));
    }
}
