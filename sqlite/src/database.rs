use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use crate::{DatabasePath, Fault, Turnstile, check_filesystem};

/// The open database and the locks beside it.
#[derive(Debug)]
pub struct Database {
    /// The connection, in WAL mode.
    pub connection: Connection,
    /// Where its writers queue.
    pub turnstile: Turnstile,
    path: DatabasePath,
    identity: Option<(u64, u64)>,
}

/// What a commit means after a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// What was committed last may be gone; the file stays whole.
    Normal,
    /// What was committed is there.
    Full,
}

impl Synchronous {
    fn pragma(self) -> &'static str {
        match self {
            Self::Normal => "PRAGMA synchronous = NORMAL",
            Self::Full => "PRAGMA synchronous = FULL",
        }
    }
}

/// How long SQLite waits for programs that write the file without queueing at the turnstile: 2 s.
const FOREIGN_WRITERS: Duration = Duration::from_secs(2);

impl Database {
    /// Opens it, and makes it where it is not there. Waits for its turn; `begin` is called in a transaction, and brings the tables up to date.
    ///
    /// # Errors
    ///
    /// What `begin` says, or why there is no database: then nothing has changed.
    pub fn open<T, E: From<Fault>>(
        path: &DatabasePath,
        synchronous: Synchronous,
        begin: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<(Self, T), E> {
        check_filesystem(path.folder())?;
        let turnstile = Turnstile::open(path)?;
        let turn = turnstile.enter()?;
        let is_new = !path.as_path().exists();
        let connection = connect(path, synchronous)?;
        // Closing the connection rolls back.
        connection.execute_batch("BEGIN IMMEDIATE").map_err(Fault::from)?;
        let value = begin(&connection)?;
        connection.execute_batch("COMMIT").map_err(Fault::from)?;
        if is_new {
            // SQLite syncs the file; that its folder knows of it is ours to make sure.
            let synced = std::fs::File::open(path.folder()).and_then(|folder| folder.sync_all());
            synced.map_err(|fault| Fault::Failed(format!("its folder can't be synchronised: {fault}")))?;
        }
        drop(turn);
        let identity = identity(path.as_path());
        Ok((Self { connection, turnstile, path: path.clone(), identity }, value))
    }

    /// Whether the name stands for another file by now. Who writes on would write into nothing.
    pub fn has_moved(&self) -> bool {
        identity(self.path.as_path()) != self.identity
    }

    /// Chooses what the next commits mean after a power cut. Not in a transaction.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn set_synchronous(&self, synchronous: Synchronous) -> rusqlite::Result<()> {
        self.connection.execute_batch(synchronous.pragma())
    }
}

fn connect(path: &DatabasePath, synchronous: Synchronous) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path.as_path(), flags)?;
    connection.busy_timeout(FOREIGN_WRITERS)?;
    let journal: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(Fault::Refused(format!("its journal mode stays {journal:?}, and several processes need WAL")));
    }
    connection.execute_batch(synchronous.pragma())?;
    Ok(connection)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(connection: &Connection) -> Result<(), Fault> {
        Ok(connection.execute_batch("CREATE TABLE one (id INTEGER PRIMARY KEY)")?)
    }

    #[test]
    #[cfg(unix)]
    fn a_replaced_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = DatabasePath::from(folder.path().join("a.db"));
        let (database, ()) = Database::open(&path, Synchronous::Normal, begin).unwrap();
        assert!(!database.has_moved());
        std::fs::remove_file(path.as_path()).unwrap();
        assert!(database.has_moved());
        std::fs::write(path.as_path(), b"").unwrap();
        assert!(database.has_moved());
    }

    #[test]
    fn what_fails_at_the_beginning_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = DatabasePath::from(folder.path().join("a.db"));
        let refuse = |connection: &Connection| begin(connection).and(Err::<(), _>(Fault::Refused("no".into())));
        assert_eq!(Database::open(&path, Synchronous::Full, refuse).unwrap_err(), Fault::Refused("no".into()));
        // It would be there already.
        Database::open(&path, Synchronous::Full, begin).unwrap();
    }

    #[test]
    fn synchronous_can_be_chosen_for_some_commits() {
        let folder = tempfile::tempdir().unwrap();
        let path = DatabasePath::from(folder.path().join("a.db"));
        let (database, ()) = Database::open(&path, Synchronous::Normal, begin).unwrap();
        let found = || database.connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(found(), 1);
        database.set_synchronous(Synchronous::Full).unwrap();
        assert_eq!(found(), 2);
    }
}
