//! A state file that grows by a line for each report, on disk before the report is acknowledged.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::tasks::{Digested, Failed, Walked};

/// A line of the state file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Digested(Digested),
    Failed(Failed),
    Walked(Walked),
}

/// The state file, open at its end.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    length: u64,
}

impl Journal {
    /// Opens the file and shows every entry that is in it. A line that a crash cut short is removed: it was never
    /// acknowledged, so its report comes again.
    pub(super) fn open(path: &Path, mut entry: impl FnMut(Entry)) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut reader = BufReader::new(&file);
        let (mut length, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if read == 0 || !line.ends_with(b"\n") {
                break;
            }
            let Ok(known) = serde_json::from_slice(&line) else { break };
            entry(known);
            length += read as u64;
        }
        let mut journal = Self { file, length };
        journal.cut()?;
        Ok(journal)
    }

    /// Appends entries, all of them or none, and returns when they are on disk.
    pub(super) fn append<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        match self.file.write_all(&lines).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.length += lines.len() as u64;
                Ok(())
            }
            Err(fault) => {
                // A disk that is full has taken a part of it.
                let _ = self.cut();
                Err(fault)
            }
        }
    }

    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(io::SeekFrom::Start(self.length)).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(paths: u64) -> Entry {
        Entry::Walked(Walked { paths, started: 0 })
    }

    fn entries(path: &Path) -> (Journal, Vec<Entry>) {
        let mut entries = Vec::new();
        (Journal::open(path, |entry| entries.push(entry)).unwrap(), entries)
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let (mut journal, _) = entries(&path);
        journal.append([&walked(1), &walked(2)]).unwrap();
        journal.append([&walked(3)]).unwrap();
        assert_eq!(entries(&path).1, [walked(1), walked(2), walked(3)]);
    }

    #[test]
    fn a_line_that_a_crash_cut_short_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        entries(&path).0.append([&walked(1)]).unwrap();
        let line = std::fs::read(&path).unwrap();
        // Also where only the end of the line is missing: what follows would stand on it.
        for cut in 1..line.len() {
            std::fs::write(&path, [&line[..], &line[..cut]].concat()).unwrap();
            let (mut journal, found) = entries(&path);
            assert_eq!(found, [walked(1)], "{cut}");
            journal.append([&walked(2)]).unwrap();
            assert_eq!(entries(&path).1, [walked(1), walked(2)], "{cut}");
        }
    }
}
