//! What is known of a run: one report for each path, whichever order and however often they come in.

use std::collections::HashMap;

use super::{
    journal::Entry,
    tasks::{Digested, Failed, Walked},
};

/// What is known of a path.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    Digested(Digested),
    Failed(Failed),
}

/// Every report so far.
#[derive(Debug, Default)]
pub(super) struct Merged {
    paths: HashMap<Vec<u8>, Known>,
    walked: Option<Walked>,
    progress: Progress,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Paths with a report.
    pub(super) done: u64,
    /// Those of them that could not be read.
    pub(super) failed: u64,
    /// Bytes hashed.
    pub(super) bytes: u64,
    /// How many there are, once the walk is over.
    pub(super) paths: Option<u64>,
}

impl Progress {
    pub(super) fn is_complete(self) -> bool {
        self.paths.is_some_and(|paths| self.done >= paths)
    }
}

impl Merged {
    /// Takes a report in. The same one again changes nothing; a file that was read after all counts as read.
    pub(super) fn merge(&mut self, entry: Entry) {
        match entry {
            Entry::Walked(walked) => self.walked = Some(walked),
            Entry::Digested(digested) => {
                match self.paths.get(&digested.path.0) {
                    Some(Known::Digested(_)) => return,
                    Some(Known::Failed(_)) => self.progress.failed -= 1,
                    None => self.progress.done += 1,
                }
                self.progress.bytes += digested.bytes;
                self.paths.insert(digested.path.0.clone(), Known::Digested(digested));
            }
            Entry::Failed(failed) => {
                if !self.paths.contains_key(&failed.path.0) {
                    self.progress.done += 1;
                    self.progress.failed += 1;
                    self.paths.insert(failed.path.0.clone(), Known::Failed(failed));
                }
            }
        }
        self.progress.paths = self.walked.map(|walked| walked.paths);
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress
    }

    pub(super) fn walked(&self) -> Option<Walked> {
        self.walked
    }

    pub(super) fn knows(&self, path: &[u8]) -> bool {
        self.paths.contains_key(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Known> {
        self.paths.values()
    }
}

#[cfg(test)]
mod tests {
    use celeriac_broker::message::Bytes;

    use super::*;

    fn read(path: &str) -> Entry {
        let path = Bytes(path.into());
        Entry::Digested(Digested { path, bytes: 3, digest: "d".into(), inode: None, attempts: 1 })
    }

    fn failed(path: &str) -> Entry {
        Entry::Failed(Failed { path: Bytes(path.into()), error: "e".into(), attempts: 3 })
    }

    #[test]
    fn a_report_that_comes_twice_counts_once() {
        let mut merged = Merged::default();
        for entry in [read("a"), read("a"), failed("b"), failed("b"), failed("a")] {
            merged.merge(entry);
        }
        assert_eq!(merged.progress(), Progress { done: 2, failed: 1, bytes: 3, paths: None });
    }

    #[test]
    fn a_file_that_was_read_after_all_is_no_failure() {
        let mut merged = Merged::default();
        merged.merge(failed("a"));
        merged.merge(read("a"));
        assert_eq!(merged.progress(), Progress { done: 1, failed: 0, bytes: 3, paths: None });
    }

    #[test]
    fn a_run_is_complete_when_every_path_has_a_report_in_any_order() {
        let mut merged = Merged::default();
        merged.merge(Entry::Walked(Walked { paths: 2, started: 0 }));
        merged.merge(read("a"));
        assert!(!merged.progress().is_complete());
        merged.merge(read("b"));
        assert!(merged.progress().is_complete());
    }
}
