//! What the AMQP client's errors mean to a caller.

use std::{fmt, io, sync::Arc};

use lapin::ErrorKind;

use crate::{Error, error::Cause};

/// Why a broker could not be asked. It can be cloned, so that many who wait for one connection learn of its failure at once.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It answered, and said no.
    Refused(String),
    /// It did not answer, or the connection broke.
    Unreachable(Arc<dyn std::error::Error + Send + Sync>),
    /// The transport was closed.
    Closed,
}

impl Fault {
    pub(super) fn timed_out(what: &str) -> Self {
        Self::Unreachable(Arc::new(io::Error::new(io::ErrorKind::TimedOut, format!("{what} took too long"))))
    }

    /// What a caller sees; `address` has no password in it.
    pub(super) fn into_error(self, address: &str) -> Error {
        match self {
            Self::Refused(message) => Error::Refused { address: address.to_owned(), message },
            Self::Unreachable(source) => {
                Error::Unreachable { address: address.to_owned(), source: Box::new(Shared(source)) }
            }
            Self::Closed => Error::Closed,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(message) => f.write_str(message),
            Self::Unreachable(source) => fmt::Display::fmt(source, f),
            Self::Closed => f.write_str("the broker was closed"),
        }
    }
}

/// 403 is a permission or a password, 405 a queue that belongs to another connection, 530 a virtual host that is not there
/// or not ours: no retry mends those. The rest may be mended by a retry: an authentication service that is down, though,
/// also says 403, which is why consumers that were connected once keep retrying.
impl From<lapin::Error> for Fault {
    fn from(error: lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(said) if matches!(said.get_id(), 403 | 405 | 530) => {
                Self::Refused(said.get_message().to_string())
            }
            _ => Self::Unreachable(Arc::new(error)),
        }
    }
}

/// What the broker said, where it closed a channel with `code`.
pub(super) fn said(error: &lapin::Error, code: u16) -> Option<String> {
    match error.kind() {
        ErrorKind::ProtocolError(said) if said.get_id() == code => Some(said.get_message().to_string()),
        _ => None,
    }
}

/// The channel was closed because something has other arguments than declared.
pub(super) const PRECONDITION_FAILED: u16 = 406;
/// The channel was closed because something is not there.
pub(super) const NOT_FOUND: u16 = 404;

/// A cause that others hold too.
struct Shared(Arc<dyn std::error::Error + Send + Sync>);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// A cause without the type it came as.
pub(super) fn cause(error: impl std::error::Error + Send + Sync + 'static) -> Cause {
    Box::new(error)
}
