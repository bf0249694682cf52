//! Whose turn it is to write: SQLite's own waiting lets one process starve the others.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use crate::{DatabasePath, Fault};

/// Two file locks that the operating system frees when their process ends. Who waits for `lock` holds `turn`, so a process that has
/// just written queues behind the one that waits. Whatever uses the same database queues at the same two.
#[derive(Debug)]
pub struct Turnstile {
    turn: File,
    lock: File,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
#[must_use = "the turn ends when it is dropped"]
pub struct Turn<'t>(&'t File);

const TURN: &str = "-turn";
const LOCK: &str = "-lock";

/// How often the list of locks is read before nobody is found in it.
const LOOKS: u32 = 3;

impl Turnstile {
    /// Opens the two files beside a database, and makes them where they are not there.
    ///
    /// # Errors
    ///
    /// [`Fault::Refused`].
    pub fn open(path: &DatabasePath) -> Result<Self, Fault> {
        Ok(Self { turn: open(&path.beside(TURN))?, lock: open(&path.beside(LOCK))? })
    }

    /// Waits for its turn, for as long as it takes.
    ///
    /// # Errors
    ///
    /// [`Fault::Failed`] where the system can't lock a file.
    pub fn enter(&self) -> Result<Turn<'_>, Fault> {
        self.turn.lock().map_err(fault)?;
        let locked = self.lock.lock();
        self.turn.unlock().map_err(fault)?;
        locked.map_err(fault)?;
        Ok(Turn(&self.lock))
    }

    /// The turn, if nobody has it and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`Fault::Failed`] where the system can't lock a file.
    pub fn try_enter(&self) -> Result<Option<Turn<'_>>, Fault> {
        if !try_lock(&self.turn)? {
            return Ok(None);
        }
        let locked = self.try_pass();
        self.turn.unlock().map_err(fault)?;
        locked
    }

    /// The turn, if nobody has it; who waits for it is passed by. It takes half as long as [`try_enter`](Self::try_enter), for one who called that a
    /// moment ago.
    ///
    /// # Errors
    ///
    /// [`Fault::Failed`] where the system can't lock a file.
    pub fn try_pass(&self) -> Result<Option<Turn<'_>>, Fault> {
        Ok(try_lock(&self.lock)?.then_some(Turn(&self.lock)))
    }
}

fn try_lock(file: &File) -> Result<bool, Fault> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(fault(error)),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it maps errors")]
fn fault(fault: io::Error) -> Fault {
    Fault::Failed(format!("the lock file beside it can't be locked: {fault}"))
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Fails only for a file that is not open; closing it unlocks it as well.
        let _ = self.0.unlock();
    }
}

fn open(path: &Path) -> Result<File, Fault> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(|fault| {
        Fault::Refused(format!("{} can't be opened: {fault}; this user must be able to write it", path.display()))
    })
}

/// Who keeps others from writing, as far as the system tells (Linux does).
pub fn holder(path: &DatabasePath) -> String {
    // The system writes its list down piece by piece: where locks come and go meanwhile, one may be missing.
    (0..LOOKS).find_map(|_| seen_holder(path)).unwrap_or_else(|| {
        format!("it did not answer in time; {} may be locked by another process", path.as_path().display())
    })
}

fn seen_holder(path: &DatabasePath) -> Option<String> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    [LOCK, "-shm", TURN].into_iter().find_map(|suffix| {
        let file = path.beside(suffix);
        let pid = holding(&locks, inode(&file)?)?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let own = if pid == std::process::id() { ", which is this one: is its disk slow?" } else { "" };
        Some(format!("{} is locked by process {pid} ({}){own}", file.display(), name.trim()))
    })
}

#[cfg(unix)]
fn inode(path: &Path) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).ok()?))
}

#[cfg(not(unix))]
fn inode(_: &Path) -> Option<u64> {
    None
}

/// The process that holds a write lock on `inode`, by the text of `/proc/locks`.
fn holding(locks: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    locks.lines().find_map(|line| {
        // Waiting ones have an arrow after their number: `1: -> FLOCK ..`.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, "WRITE", pid, file, ..] = fields.as_slice() else { return None };
        (file.rsplit(':').next() == Some(inode.as_str())).then(|| pid.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_had_at_once_only_where_nobody_has_it_or_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = DatabasePath::from(folder.path().join("a.db"));
        let (ours, theirs) = (Turnstile::open(&path).unwrap(), Turnstile::open(&path).unwrap());
        let turn = ours.try_enter().unwrap().unwrap();
        assert!(theirs.try_enter().unwrap().is_none());
        drop(turn);
        drop(theirs.try_enter().unwrap().unwrap());
        // One who waits stands at the first of the two.
        theirs.turn.lock().unwrap();
        assert!(ours.try_enter().unwrap().is_none());
        let turn = ours.try_pass().unwrap().unwrap();
        assert!(theirs.try_pass().unwrap().is_none());
        drop(turn);
        theirs.turn.unlock().unwrap();
        drop(ours.enter().unwrap());
    }

    #[test]
    fn the_holder_is_found_among_locks_and_waiters() {
        let locks = "\
1: POSIX  ADVISORY  READ 11 fe:00:500 128 128
1: -> FLOCK  ADVISORY  WRITE 13 fe:00:400 0 EOF
1: FLOCK  ADVISORY  WRITE 12 fe:00:400 0 EOF
2: POSIX  ADVISORY  WRITE 14 fe:00:500 120 120
";
        assert_eq!([400, 500, 40].map(|inode| holding(locks, inode)), [Some(12), Some(14), None]);
    }
}
