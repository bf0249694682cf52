//! What a run is about, and where it keeps what the next one must know.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use celeriac_broker::Broker;
use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// The folder for state, in the current one: it stands and goes with `celeriac.db`.
const STATE_FOLDER: &str = "celeriac-demo";

/// The queue to which the digests of a run are reported.
pub(super) fn report_queue(run: &str) -> String {
    format!("report.{run}")
}

/// The folder that is looked at, and the one that holds this run's state.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Absolute, without symlinks: what messages name.
    pub(super) dir: PathBuf,
    /// As it was given: what people see.
    shown: PathBuf,
    /// The same for every run over the same folder.
    pub(super) run: String,
    state: PathBuf,
    /// The state of every run from here.
    states: PathBuf,
    /// The broker's file.
    database: Option<PathBuf>,
}

impl Place {
    pub(super) fn of(dir: &Path, broker: &Broker) -> Result<Self, Error> {
        let unusable =
            |fault: &dyn std::fmt::Display| Error::Usage(format!("can't look into {}: {fault}", dir.display()));
        let absolute = fs::canonicalize(dir).map_err(|fault| unusable(&fault))?;
        if !absolute.is_dir() {
            return Err(unusable(&"it is no folder"));
        }
        fs::read_dir(&absolute).map_err(|fault| unusable(&fault))?;
        let run = blake3::hash(&super::path::bytes(&absolute).0).to_hex()[..12].to_owned();
        let here = std::env::current_dir().map_err(Error::io("can't tell the current folder"))?;
        let here = fs::canonicalize(&here).unwrap_or(here);
        let database = broker.address().strip_prefix("sqlite://");
        let database = database.map(|file| here.join(file.split('?').next().unwrap_or(file)));
        let states = here.join(STATE_FOLDER);
        Ok(Self { dir: absolute, shown: dir.to_owned(), state: states.join(&run), states, run, database })
    }

    /// Whether the path is ours: the broker's file and those beside it (`-wal` and such), or our state.
    pub(super) fn is_own(&self, path: &Path) -> bool {
        let beside = |file: &Path| {
            let (Some(name), Some(own)) = (path.file_name(), file.file_name()) else { return false };
            let (name, own) = (name.as_encoded_bytes(), own.as_encoded_bytes());
            path.parent() == file.parent()
                && name.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest[0] == b'-')
        };
        path == self.states || self.database.as_deref().is_some_and(beside)
    }

    /// The path as people gave the folder.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.dir).map_or_else(
            |_| path.to_owned(),
            |inside| if inside.as_os_str().is_empty() { self.shown.clone() } else { self.shown.join(inside) },
        )
    }

    /// A file of this run's state.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Makes sure that one process at a time does this part of a run; until the file is dropped.
    pub(super) fn lock(&self, part: &str) -> Result<File, Error> {
        let doing = || format!("can't write to {}", self.state.display());
        fs::create_dir_all(&self.state).map_err(Error::io(doing()))?;
        let file = File::create(self.file(&format!("{part}.lock"))).map_err(Error::io(doing()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Failed(format!(
                "another process is at work on {} from this folder; wait for it, or end it",
                self.shown.display()
            ))),
            Err(fs::TryLockError::Error(fault)) => Err(Error::io(doing())(fault)),
        }
    }

    /// Reads a small state file; `None` where there is none.
    pub(super) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let file = self.file(name);
        match fs::read(&file) {
            // What can't be read was not written by us, or by another version: begin again.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(Error::io(format!("can't read {}", file.display()))(fault)),
        }
    }

    /// Replaces a small state file at once and on disk.
    pub(super) fn save<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let (file, fresh) = (self.file(name), self.file(&format!("{name}.new")));
        let write = || {
            let mut out = File::create(&fresh)?;
            out.write_all(&serde_json::to_vec(value)?)?;
            out.sync_data()?;
            fs::rename(&fresh, &file)
        };
        write().map_err(Error::io(format!("can't write {}", file.display())))
    }

    /// Forgets a state file.
    pub(super) fn forget(&self, name: &str) -> Result<(), Error> {
        let file = self.file(name);
        match fs::remove_file(&file) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("can't remove {}", file.display()))(fault))
            }
            _ => Ok(()),
        }
    }

    /// Removes what is empty, or belongs to a run that is over.
    pub(super) fn clear(&self, names: &[&str]) -> Result<(), Error> {
        for name in names {
            self.forget(name)?;
        }
        // These stay where another part of the run still keeps something in them.
        let _ = fs::remove_dir(&self.state);
        let _ = self.state.parent().map(fs::remove_dir);
        Ok(())
    }
}
