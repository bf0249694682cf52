//! The one place with unsafe code: statements borrow their connection, and neither rusqlite nor the language can say that both go from one
//! thread to another together. (rusqlite's own cache can, but is a feature that not every version in our range has; and preparing the
//! statements anew costs more than running them.)

use std::{fmt, mem::ManuallyDrop, ptr::NonNull};

use rusqlite::Statement;

use crate::Database;

/// A database and the statements prepared on it, for threads that take turns.
pub struct Prepared {
    /// Dropped before what they borrow.
    statements: ManuallyDrop<Vec<Statement<'static>>>,
    /// Out of a box. A pointer, as a box would claim to be the only one that leads there.
    database: NonNull<Database>,
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Database>();
};

#[allow(unsafe_code, reason = "see the module")]
// SAFETY: a database is `Send`. A statement is not, because of the connection that it borrows: two threads could use that at once. Here
// all borrowers of the connection move with it, and nobody else has one: `with` and `database` lend it for no longer than `self` is
// borrowed, and as `self` is not `Sync`, that is on one thread. SQLite itself minds no change of threads (`SQLITE_OPEN_NO_MUTEX` asks
// for no more than that no two use the connection at the same time).
unsafe impl Send for Prepared {}

impl Prepared {
    /// Prepares statements.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn new(database: Database, texts: &[&str]) -> rusqlite::Result<Self> {
        let database = NonNull::from(Box::leak(Box::new(database)));
        let mut prepared = Self { statements: ManuallyDrop::new(Vec::with_capacity(texts.len())), database };
        #[allow(unsafe_code, reason = "see the module")]
        // SAFETY: it lives until `drop`, which drops the statements first, and nothing makes a mutable reference to it before.
        let connection = unsafe { &database.as_ref().connection };
        for text in texts {
            prepared.statements.push(connection.prepare(text)?);
        }
        Ok(prepared)
    }

    /// The database.
    pub fn database(&self) -> &Database {
        #[allow(unsafe_code, reason = "see the module")]
        // SAFETY: as in `new`; the reference lives no longer than `self`.
        unsafe {
            self.database.as_ref()
        }
    }

    /// Lends the database and the statements, in the order of their texts. Whoever has them can't tell how long they live, so can't keep them.
    pub fn with<R>(&mut self, act: impl for<'c> FnOnce(&'c Database, &mut [Statement<'c>]) -> R) -> R {
        #[allow(unsafe_code, reason = "see the module")]
        // SAFETY: as in `new`; `act` must do with any lifetime, so nothing that it keeps or returns can have this one.
        let database = unsafe { self.database.as_ref() };
        act(database, &mut self.statements)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        #[allow(unsafe_code, reason = "see the module")]
        // SAFETY: neither is used again, and the pointer came from a box.
        unsafe {
            ManuallyDrop::drop(&mut self.statements);
            drop(Box::from_raw(self.database.as_ptr()));
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("database", self.database()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabasePath, Fault, Synchronous};

    #[test]
    fn threads_take_turns_and_the_file_is_closed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = DatabasePath::from(folder.path().join("a.db"));
        let begin = |connection: &rusqlite::Connection| {
            Ok::<_, Fault>(connection.execute_batch("CREATE TABLE one (id INTEGER PRIMARY KEY)")?)
        };
        let (database, ()) = Database::open(&path, Synchronous::Normal, begin).unwrap();
        let texts = ["INSERT INTO one DEFAULT VALUES", "SELECT count(*) FROM one"];
        let prepared = std::sync::Mutex::new(Prepared::new(database, &texts).unwrap());
        let insert = || {
            for _ in 0..50 {
                prepared.lock().unwrap().with(|_, statements| statements[0].execute([])).unwrap();
            }
        };
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(insert);
            }
        });
        let mut prepared = prepared.into_inner().unwrap();
        let count = prepared.with(|_, statements| statements[1].query_row([], |row| row.get::<_, i64>(0)));
        assert_eq!(count.unwrap(), 200);
        drop(prepared);
        assert!(!path.beside("-wal").exists(), "the last one who closes it folds the log into the file");
    }

    #[test]
    fn a_statement_that_makes_no_sense_closes_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = DatabasePath::from(folder.path().join("a.db"));
        let (database, ()) = Database::open(&path, Synchronous::Normal, |_| Ok::<_, Fault>(())).unwrap();
        Prepared::new(database, &["SELECT 1", "SELECT nonsense"]).unwrap_err();
        assert!(!path.beside("-wal").exists());
    }
}
