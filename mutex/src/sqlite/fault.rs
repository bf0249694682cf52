use celeriac_sqlite::DatabasePath;

use crate::Error;

/// Why the file could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another program had it locked for too long; nothing has changed.
    Busy(String),
    /// It may work later. What was asked may have happened or not.
    Unavailable(String),
    /// It won't work before somebody mends it.
    Refused(String),
}

impl Fault {
    pub(super) fn into_error(self, path: &DatabasePath) -> Error {
        let address = path.as_path().display().to_string();
        match self {
            Self::Busy(message) | Self::Unavailable(message) => Error::Unavailable { address, message },
            Self::Refused(message) => Error::Refused { address, message },
        }
    }
}

impl From<celeriac_sqlite::Fault> for Fault {
    fn from(fault: celeriac_sqlite::Fault) -> Self {
        use celeriac_sqlite::Fault as File;
        match fault {
            File::Locked(said) => Self::Busy(said),
            File::Full(said) => Self::Unavailable(format!("{said}: the disk is full; make room")),
            File::Refused(said) => Self::Refused(said),
            File::Failed(said) => Self::Unavailable(said),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        celeriac_sqlite::Fault::from(error).into()
    }
}
