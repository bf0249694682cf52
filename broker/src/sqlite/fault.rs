use celeriac_sqlite::DatabasePath;

use crate::Error;

/// Why the file could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Somebody else has it locked.
    Locked(String),
    /// It failed; nothing has changed.
    Failed(String),
    /// There was no room; nothing has changed.
    Full(String),
    /// It failed while it committed: the change may be there after a restart.
    Uncertain(String),
}

impl Fault {
    pub(super) fn into_error(self, path: &DatabasePath) -> Error {
        let address = path.as_path().display().to_string();
        match self {
            Self::Locked(holder) => Error::Unreachable { address, source: holder.into() },
            Self::Failed(message) | Self::Full(message) | Self::Uncertain(message) => Error::Store { address, message },
        }
    }
}

impl From<celeriac_sqlite::Fault> for Fault {
    fn from(fault: celeriac_sqlite::Fault) -> Self {
        use celeriac_sqlite::Fault as File;
        match fault {
            File::Locked(said) => Self::Locked(said),
            File::Full(said) => Self::Full(format!(
                "{said}: the disk, or the file's max_size, is full; nothing was lost. Make room, or run the tasks that wait"
            )),
            File::Refused(said) | File::Failed(said) => Self::Failed(said),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        celeriac_sqlite::Fault::from(error).into()
    }
}
