//! Where results are written: a folder of files, each of which is there as a whole or not at all.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::feed::Feed;

/// A folder of results, by name.
///
/// A name is the key of its write: to write it twice is to write it once, so a task that was killed in the middle, or whose
/// acknowledgement was lost, may run again.
#[derive(Debug, Clone)]
pub(crate) struct Store(PathBuf);

/// A result in the making. What is not finished leaves nothing that anybody reads, even after SIGKILL.
#[derive(Debug)]
pub(crate) struct Draft {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Store {
    pub(crate) fn at(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn draft(&self, name: &str) -> io::Result<Draft> {
        let file = tempfile::Builder::new().prefix(".draft-").tempfile_in(&self.0)?;
        Ok(Draft { file: BufWriter::new(file), path: self.path(name) })
    }

    /// Where it is, or will be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names of all results.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.filter(|name| !name.as_ref().is_ok_and(|name| name.starts_with('.'))).collect()
    }

    fn lines(&self, name: &str) -> io::Result<io::Lines<BufReader<File>>> {
        Ok(BufReader::new(File::open(self.path(name))?).lines())
    }
}

impl Draft {
    pub(crate) fn line(&mut self, line: &impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.file, "{line}")
    }

    /// Puts it in its place, over an earlier one of its name.
    pub(crate) fn finish(self) -> io::Result<()> {
        let (file, path) = self.written()?;
        file.persist(&path)?;
        sync_folder(&path)
    }

    /// Puts it in its place, unless there is one already: then `false`.
    pub(crate) fn finish_first(self) -> io::Result<bool> {
        let (file, path) = self.written()?;
        match file.persist_noclobber(&path) {
            Ok(_) => sync_folder(&path).map(|()| true),
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(refused) => Err(refused.error),
        }
    }

    /// Its bytes are on disk before its name is: a power cut leaves no result half written.
    fn written(self) -> io::Result<(NamedTempFile, PathBuf)> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok((file, self.path))
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// What a store of imported rows holds, beside what it should hold.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Rows {
    pub(crate) expected: u64,
    /// Rows that are where they should be, once.
    pub(crate) imported: u64,
    /// Rows that should not be there: a second time, in the wrong place, of no feed.
    pub(crate) wrong: u64,
}

impl Rows {
    /// Compares every row with what the feeds held, at flat memory.
    pub(crate) fn audit(store: &Store, feeds: &[Feed]) -> io::Result<Self> {
        let mut rows = Self::default();
        for name in store.names()? {
            if !feeds.iter().any(|feed| feed.name() == name) {
                rows.wrong += store.lines(&name)?.count() as u64;
            }
        }
        for feed in feeds {
            rows.expected += feed.vehicles;
            if !store.path(&feed.name()).exists() {
                continue;
            }
            let mut stock = feed.stock();
            for line in store.lines(&feed.name())? {
                let line = line?;
                if stock.next().is_some_and(|vehicle| vehicle.to_string() == line) {
                    rows.imported += 1;
                } else {
                    rows.wrong += 1;
                }
            }
        }
        Ok(rows)
    }
}
