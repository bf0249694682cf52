use rusqlite::ErrorCode;

use super::location::Location;
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
    pub(super) fn into_error(self, location: &Location) -> Error {
        let address = location.path.display().to_string();
        match self {
            Self::Locked(holder) => Error::Unreachable { address, source: holder.into() },
            Self::Failed(message) | Self::Full(message) | Self::Uncertain(message) => Error::Store { address, message },
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let said = error.to_string();
        let message = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => return Self::Locked(said),
            Some(ErrorCode::DiskFull) => {
                return Self::Full(format!(
                    "{said}: the disk, or the file's max_size, is full; nothing was lost. Make room, or run the tasks that wait"
                ));
            }
            Some(ErrorCode::NotADatabase) => {
                format!("{said}: this file was not written by SQLite; name another one, or move it away")
            }
            Some(ErrorCode::DatabaseCorrupt) => {
                format!(
                    "{said}: stop every process that uses it, and save what can be read with `sqlite3 FILE .recover`"
                )
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                format!(
                    "{said}: this user must be able to write the file, the folder it is in, and the files beside it"
                )
            }
            _ => said,
        };
        Self::Failed(message)
    }
}
