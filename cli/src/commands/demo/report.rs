//! The answer: which files are the same.

use std::{collections::HashMap, fmt::Write as _, path::PathBuf, time::Duration};

use serde::Serialize;

use super::{
    merge::{Known, Merged},
    path,
    place::Place,
    tasks::Digested,
};
use crate::text;

/// What was found.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Report {
    /// Regular files found, those that could not be read included.
    files: u64,
    /// Bytes hashed.
    bytes: u64,
    /// Bytes that one copy of each file would not need.
    wasted_bytes: u64,
    /// Sets of files with the same contents, in order; empty files are left out, and hard links count as one file.
    duplicates: Vec<Vec<String>>,
    failures: Vec<Failure>,
    /// Files reported on per second, in this run of the command.
    tasks_per_second: f64,
    /// Attempts over all files.
    attempts: u64,
    #[serde(skip)]
    sizes: Vec<u64>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Failure {
    path: String,
    error: String,
}

impl Report {
    /// Of what was merged; `fresh` of it in this run of the command, which took `elapsed`.
    pub(super) fn of(merged: &Merged, place: &Place, fresh: u64, elapsed: Duration) -> Self {
        let shown = |bytes: &_| path::text(&place.shown(&path::path(bytes)));
        let (mut files, mut attempts) = (0, 0);
        let mut failures = Vec::new();
        let mut groups: HashMap<(u64, &str), Vec<&Digested>> = HashMap::new();
        for known in merged.paths() {
            let tried = match known {
                Known::Digested(digested) => {
                    groups.entry((digested.bytes, &digested.digest)).or_default().push(digested);
                    digested.attempts
                }
                Known::Failed(failed) => {
                    failures.push(Failure { path: shown(&failed.path), error: failed.error.clone() });
                    failed.attempts
                }
            };
            files += u64::from(tried > 0);
            attempts += u64::from(tried);
        }
        failures.sort();
        let mut sets: Vec<(Vec<PathBuf>, u64)> = groups
            .into_iter()
            .filter(|((bytes, _), same)| *bytes > 0 && same.len() > 1)
            .map(|((bytes, _), same)| (distinct(same), bytes))
            .filter(|(same, _)| same.len() > 1)
            .collect();
        sets.sort();
        #[allow(clippy::cast_precision_loss, reason = "a rate")]
        let tasks_per_second = fresh as f64 / elapsed.as_secs_f64().max(0.001);
        Self {
            files,
            bytes: merged.progress().bytes,
            wasted_bytes: sets.iter().map(|(same, bytes)| (same.len() as u64 - 1) * bytes).sum(),
            sizes: sets.iter().map(|(_, bytes)| *bytes).collect(),
            duplicates: sets
                .into_iter()
                .map(|(same, _)| same.iter().map(|file| path::text(&place.shown(file))).collect())
                .collect(),
            failures,
            tasks_per_second: (tasks_per_second * 10.0).round() / 10.0,
            attempts,
        }
    }

    /// The report for people.
    pub(super) fn people(&self) -> String {
        let mut shown = String::new();
        for (set, bytes) in self.duplicates.iter().zip(&self.sizes) {
            let wasted = (set.len() as u64 - 1) * bytes;
            let _ = writeln!(shown, "{} files of {}, {} wasted:", set.len(), text::bytes(*bytes), text::bytes(wasted));
            for path in set {
                let _ = writeln!(shown, "  {}", text::one_line(path));
            }
        }
        if !self.failures.is_empty() {
            let _ = writeln!(shown, "could not be read (`celeriac dead list digest` shows the tasks):");
            for Failure { path, error } in &self.failures {
                let _ = writeln!(shown, "  {}: {}", text::one_line(path), text::one_line(error));
            }
        }
        if !shown.is_empty() {
            shown.push('\n');
        }
        let _ = writeln!(
            shown,
            "{}, {}; {}, {} wasted; {:.0} tasks per second, {}, {}",
            text::plural(self.files, "file"),
            text::bytes(self.bytes),
            text::plural(self.duplicates.len() as u64, "duplicate set"),
            text::bytes(self.wasted_bytes),
            self.tasks_per_second,
            text::plural(self.attempts, "attempt"),
            text::plural(self.failures.len() as u64, "failure"),
        );
        shown
    }
}

/// One path for each file, in order: of hard links the first.
fn distinct(same: Vec<&Digested>) -> Vec<PathBuf> {
    let mut files: Vec<(PathBuf, Option<(u64, u64)>)> =
        same.into_iter().map(|digested| (path::path(&digested.path), digested.inode)).collect();
    files.sort();
    let mut seen = std::collections::HashSet::new();
    files.retain(|(_, inode)| inode.is_none_or(|inode| seen.insert(inode)));
    files.into_iter().map(|(path, _)| path).collect()
}
