use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::{fault::Fault, filesystem, location::Location, schema, turnstile::Turnstile};

/// The open database and the locks beside it.
pub(super) struct File {
    pub(super) connection: Connection,
    pub(super) turnstile: Turnstile,
    identity: Option<(u64, u64)>,
}

/// How long SQLite waits for programs that write the file without queueing at the turnstile.
const FOREIGN_WRITERS: Duration = Duration::from_secs(2);

impl File {
    pub(super) fn open(location: &Location) -> Result<Self, Fault> {
        filesystem::check(location.folder())?;
        let turnstile = Turnstile::open(location)?;
        let turn = turnstile.enter()?;
        let is_new = !location.path.exists();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&location.path, flags)?;
        prepare(&connection, location)?;
        schema::migrate(&connection)?;
        if is_new {
            // SQLite syncs the file; that its folder knows of it is ours to make sure.
            let synced = std::fs::File::open(location.folder()).and_then(|folder| folder.sync_all());
            synced.map_err(|fault| Fault::Failed(format!("its folder can't be synchronised: {fault}")))?;
        }
        drop(turn);
        Ok(Self { connection, turnstile, identity: identity(&location.path) })
    }

    /// Whether the name stands for another file by now. Who writes on would write into nothing.
    pub(super) fn has_moved(&self, location: &Location) -> bool {
        identity(&location.path) != self.identity
    }
}

fn prepare(connection: &Connection, location: &Location) -> Result<(), Fault> {
    connection.busy_timeout(FOREIGN_WRITERS)?;
    let journal: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(Fault::Failed(format!("its journal mode stays {journal:?}, and several processes need WAL")));
    }
    connection.execute_batch(&format!("PRAGMA synchronous = {}", location.synchronous.as_str()))?;
    Ok(())
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
