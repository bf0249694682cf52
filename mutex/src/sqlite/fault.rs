use rusqlite::ErrorCode;

use super::location::Location;
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
    pub(super) fn into_error(self, location: &Location) -> Error {
        let address = location.path.display().to_string();
        match self {
            Self::Busy(message) | Self::Unavailable(message) => Error::Unavailable { address, message },
            Self::Refused(message) => Error::Refused { address, message },
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let said = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(said),
            Some(ErrorCode::DiskFull) => Self::Unavailable(format!("{said}: the disk is full; make room")),
            Some(ErrorCode::NotADatabase) => {
                Self::Refused(format!("{said}: this file was not written by SQLite; name another one, or move it away"))
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Refused(format!(
                "{said}: stop every process that uses it, and save what can be read with `sqlite3 FILE .recover`"
            )),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::Refused(format!(
                "{said}: this user must be able to write the file, the folder it is in, and the files beside it"
            )),
            _ => Self::Unavailable(said),
        }
    }
}
