//! Whether a process lives: each keeps a file locked that bears its name, and the system frees it whichever way it ends.

use std::{
    collections::HashMap,
    fmt::Write,
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use crate::store::ProcessId;

const SUFFIX: &str = ".lock";

/// How often a lock that somebody tries is tried again: whoever looks whether we live has it for a microsecond.
const TRIES: usize = 200;

/// The sign of life of one of our processes. It ends when it is dropped, but its file stays: see [`Presence::withdraw`].
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    _locked: File,
}

impl Presence {
    /// Begins to live. `None` where somebody else already does under that name. Only whoever has the turn to write may do that, or it
    /// could be taken for dead before it has its lock.
    pub(super) fn take(folder: &Path, process: &ProcessId) -> io::Result<Option<Self>> {
        if let Err(error) = std::fs::create_dir(folder)
            && error.kind() != ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let path = folder.join(name(process));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { path, _locked: file })),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether its file is where others look for it.
    pub(super) fn is_seen(&self) -> bool {
        self.path.exists()
    }

    /// Ends in order: nothing is left in the database.
    pub(super) fn withdraw(self) {
        // Left over, it is removed by whoever finds that nobody has it locked.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The other processes, as far as they were asked for. Their files are kept open, so that asking is one system call.
#[derive(Debug)]
pub(super) struct Others {
    folder: PathBuf,
    files: HashMap<ProcessId, File>,
}

impl Others {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, files: HashMap::new() }
    }

    /// Whether a process is dead. Where that cannot be known, it lives.
    pub(super) fn is_dead(&mut self, process: &ProcessId) -> bool {
        if self.files.get(process).is_some_and(is_locked) {
            return false;
        }
        self.files.remove(process);
        match File::open(self.folder.join(name(process))) {
            Ok(file) if is_locked(&file) => {
                self.files.insert(process.clone(), file);
                false
            }
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }

    /// The names of all, dead or alive, that have a file.
    pub(super) fn all(&self) -> Vec<ProcessId> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        entries.filter_map(|entry| process(entry.ok()?.file_name().to_str()?)).collect()
    }

    /// Whether a process has left a file.
    pub(super) fn has_left(&self, process: &ProcessId) -> bool {
        self.folder.join(name(process)).exists()
    }

    /// Removes what a dead process has left.
    pub(super) fn remove(&mut self, process: &ProcessId) {
        self.files.remove(process);
        // Left over, it is found dead again.
        let _ = std::fs::remove_file(self.folder.join(name(process)));
    }
}

/// A lock that can be shared is held by nobody; the try ends with the attempt.
fn is_locked(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().is_err(),
        Err(_) => true,
    }
}

/// A process's file; a process is named by letters and digits, but others may name theirs as they like.
fn name(process: &ProcessId) -> String {
    let mut name = String::new();
    for byte in process.as_str().bytes() {
        if byte.is_ascii_alphanumeric() {
            name.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name + SUFFIX
}

fn process(name: &str) -> Option<ProcessId> {
    let mut bytes = Vec::new();
    let mut rest = name.strip_suffix(SUFFIX)?.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
        } else {
            byte
        });
    }
    Some(ProcessId::from(std::str::from_utf8(&bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_until_its_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (path, id) = (folder.path().join("locks"), ProcessId::from("a/b c"));
        let mut others = Others::new(path.clone());
        assert!(others.is_dead(&id));
        let presence = Presence::take(&path, &id).unwrap().unwrap();
        assert!(!others.is_dead(&id) && !others.is_dead(&id));
        assert!(Presence::take(&path, &id).unwrap().is_none());
        assert_eq!(others.all(), std::slice::from_ref(&id));
        drop(presence);
        assert!(others.is_dead(&id) && others.has_left(&id));
        // Found dead by a file that it had open; and then it lives in another one.
        others.remove(&id);
        let again = Presence::take(&path, &id).unwrap().unwrap();
        assert!(!others.is_dead(&id) && again.is_seen());
        again.withdraw();
        assert!(others.is_dead(&id) && others.all().is_empty());
    }
}
