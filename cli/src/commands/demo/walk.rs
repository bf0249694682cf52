//! Every regular file under a folder, in one order that every walk has.

use std::path::PathBuf;

use walkdir::WalkDir;

use super::place::Place;

/// What a walk comes upon.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// A regular file. Symlinks are not followed; devices, sockets and pipes are no files.
    File(PathBuf),
    /// A folder whose entries can't be listed, or an entry that can't be looked at.
    Unreadable(PathBuf, String),
}

impl Found {
    pub(super) fn path(&self) -> &PathBuf {
        match self {
            Self::File(path) | Self::Unreadable(path, _) => path,
        }
    }
}

/// Walks the folder in the order of `Path`, so that a walk that was interrupted goes on behind the `last` path it came to.
pub(super) fn walk(place: &Place, last: Option<PathBuf>) -> impl Iterator<Item = Found> {
    let entries = WalkDir::new(&place.dir).follow_links(false).sort_by_file_name().into_iter();
    entries
        .filter_entry(|entry| !place.is_own(entry.path()))
        .filter_map(|entry| match entry {
            Ok(entry) => entry.file_type().is_file().then(|| Found::File(entry.into_path())),
            Err(fault) => {
                let path = fault.path().map_or_else(|| place.dir.clone(), ToOwned::to_owned);
                let error =
                    fault.into_io_error().map_or_else(|| "it can't be listed".into(), |fault| fault.to_string());
                Some(Found::Unreadable(path, error))
            }
        })
        .filter(move |found| last.as_ref().is_none_or(|last| found.path() > last))
}
