//! What a command can fail with, how it is told, and the exit code that goes with it.

use std::{error::Error as StdError, fmt::Write as _, io, process::ExitCode};

use celeriac_broker::Error as BrokerError;
use celeriac_mutex::Error as LocksError;

/// What a command can fail with. Told in one line on standard error; see [`Error::exit_code`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command line, the environment or `celeriac.toml` can't be used as it is.
    #[error("{0}")]
    Usage(String),

    /// The command did not do what it was asked for.
    #[error("{0}")]
    Failed(String),

    /// The broker did not do its part.
    #[error("{doing}")]
    Broker {
        /// What was tried: `can't list the queues`.
        doing: String,
        /// What the broker said.
        source: BrokerError,
    },

    /// The lock store did not do its part.
    #[error("{doing}")]
    Locks {
        /// What was tried: `can't list the locks`.
        doing: String,
        /// What the store said.
        source: LocksError,
    },

    /// The worker could not start, or ended.
    #[error("the worker can't run")]
    Worker(#[source] celeriac_worker::Error),

    /// A file, the terminal or a pipe.
    #[error("{doing}")]
    Io {
        /// What was tried: `can't read celeriac.toml`.
        doing: String,
        /// What the system said.
        source: io::Error,
    },

    /// What was looked at does not work; it has been told already.
    #[error("unhealthy")]
    Unhealthy,

    /// What a check has found, by its exit code; it has been told already.
    #[error("not OK")]
    Checked(u8),
}

/// Everything went as asked.
pub const EXIT_OK: u8 = 0;
/// It was tried and failed.
pub const EXIT_FAILED: u8 = 1;
/// Nothing was tried: the command line, the environment or `celeriac.toml` is wrong.
pub const EXIT_USAGE: u8 = 2;
/// `doctor` found what does not work.
pub const EXIT_UNHEALTHY: u8 = 3;

const WHERE_FROM: &str = "is it running there? `celeriac config show` says where the address comes from";

impl Error {
    pub(crate) fn broker(doing: impl Into<String>) -> impl FnOnce(BrokerError) -> Self {
        move |source| match source {
            // What was asked for can't be, whoever noticed it; nothing was tried.
            BrokerError::Config { .. }
            | BrokerError::InvalidQueueName { .. }
            | BrokerError::InvalidPriority { .. }
            | BrokerError::ReservedHeader { .. }
            | BrokerError::DelayTooLong { .. }
            | BrokerError::TooLarge { .. } => Self::Usage(source.to_string()),
            source => Self::Broker { doing: doing.into(), source },
        }
    }

    pub(crate) fn locks(doing: impl Into<String>) -> impl FnOnce(LocksError) -> Self {
        move |source| match source {
            LocksError::Invalid(fault) => Self::Usage(fault),
            source => Self::Locks { doing: doing.into(), source },
        }
    }

    pub(crate) fn worker(source: celeriac_worker::Error) -> Self {
        use celeriac_worker::Error as WorkerError;
        match source {
            WorkerError::Broker(source) => Self::broker("the worker can't use its broker")(source),
            WorkerError::DuplicateTask { .. } | WorkerError::NoPool { .. } | WorkerError::Config { .. } => {
                Self::Usage(source.to_string())
            }
            source => Self::Worker(source),
        }
    }

    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// The exit code: 1, 2 or 3; 0 where the reader of our output went away. A check's is its own.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Unhealthy => EXIT_UNHEALTHY,
            Self::Checked(code) => *code,
            _ if self.is_broken_pipe() => EXIT_OK,
            _ => EXIT_FAILED,
        })
    }

    /// Whether there is nothing to tell: the reader went away, or it was told already.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self, Self::Unhealthy | Self::Checked(_)) || self.is_broken_pipe()
    }

    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The error, its causes and what mends it, in one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Some libraries repeat their cause in their own text.
            let text = error.to_string();
            if !line.ends_with(&text) {
                let _ = write!(line, ": {text}");
            }
            cause = error.source();
        }
        if let Some(fix) = self.fix() {
            let _ = write!(line, "; {fix}");
        }
        crate::text::one_line(&line)
    }

    fn fix(&self) -> Option<&'static str> {
        let source = match self {
            Self::Broker { source, .. } => source,
            Self::Locks { source: LocksError::Unavailable { .. }, .. } => return Some(WHERE_FROM),
            _ => return None,
        };
        Some(match source {
            BrokerError::Unreachable { .. } => WHERE_FROM,
            BrokerError::Refused { .. } => "check user, password and virtual host in the broker's URL",
            BrokerError::Blocked { .. } => "free its disk or memory; nothing was published",
            BrokerError::Unroutable { .. } => "create it with `celeriac queue declare`, or start its worker",
            BrokerError::Unconfirmed { .. } => "publish again with the same --id to keep a duplicate visible",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_causes_and_what_mends_it() {
        let source = BrokerError::Unreachable { address: "amqp://h".into(), source: "no\nroute".into() };
        assert_eq!(
            Error::broker("can't list the queues")(source).line(),
            "can't list the queues: the broker at amqp://h is unreachable: no route; is it running there? \
             `celeriac config show` says where the address comes from"
        );
    }

    #[test]
    fn what_was_asked_for_wrongly_is_wrong_use_whoever_noticed_it() {
        let source = BrokerError::InvalidPriority { asked: 10 };
        assert!(matches!(Error::broker("can't publish")(source), Error::Usage(_)));
    }
}
