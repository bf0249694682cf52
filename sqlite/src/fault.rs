use rusqlite::ErrorCode;

/// Why the file could not do what it was asked, in words for an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another program had it locked for too long; nothing has changed.
    Locked(String),
    /// There was no room; nothing has changed.
    Full(String),
    /// It won't work before somebody mends it.
    Refused(String),
    /// It failed, and may work later.
    Failed(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let said = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked(said),
            Some(ErrorCode::DiskFull) => Self::Full(said),
            Some(ErrorCode::NotADatabase) => {
                Self::Refused(format!("{said}: this file was not written by SQLite; name another one, or move it away"))
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Refused(format!(
                "{said}: stop every process that uses it, and save what can be read with `sqlite3 FILE .recover`"
            )),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::Refused(format!(
                "{said}: this user must be able to write the file, the folder it is in, and the files beside it"
            )),
            _ => Self::Failed(said),
        }
    }
}
