use deadpool_redis::redis::{ErrorKind, RedisError};

use crate::Error;

/// Why something failed, kept so that many can be told.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Trying again later may work.
    Unavailable(String),
    /// It won't.
    Refused(String),
    /// The question makes no sense.
    Invalid(String),
}

impl Failure {
    pub(super) fn at(self, address: &str) -> Error {
        let address = address.to_owned();
        match self {
            Self::Unavailable(message) => Error::Unavailable { address, message },
            Self::Refused(message) => Error::Refused { address, message },
            Self::Invalid(message) => Error::Invalid(message),
        }
    }

    pub(super) fn message(&self) -> &str {
        match self {
            Self::Unavailable(message) | Self::Refused(message) | Self::Invalid(message) => message,
        }
    }

    /// An answer that is none of ours.
    pub(super) fn strange(what: &str) -> Self {
        Self::Unavailable(format!("the answer is not what the script gives: {what}"))
    }
}

impl From<&RedisError> for Failure {
    fn from(error: &RedisError) -> Self {
        let message = error.to_string();
        let refused = matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig);
        match error.code() {
            _ if refused => Self::Refused(message),
            Some("NOAUTH" | "WRONGPASS") => Self::Refused(format!("{message}; give the right user and password")),
            Some("NOPERM") => Self::Refused(format!(
                "{message}; the user needs +@all on ~<namespace>:* and &<namespace>:*, or at least the commands that the scripts run"
            )),
            Some("WRONGTYPE") => {
                Self::Refused(format!("{message}; something else uses the same keys: choose another namespace"))
            }
            _ => Self::Unavailable(message),
        }
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::from(&error)
    }
}

/// Whether another connection may reach a server that can.
pub(super) fn ends_connection(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_io_error()
        || matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "LOADING"))
}
