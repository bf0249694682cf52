use std::{error::Error as StdError, time::Duration};

use crate::{LeaseLost, LockKey};

/// A cause that is kept for its text, without naming the library it comes from.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong between a caller and a store of leases. That a lock is held by another is no error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store did not answer in time, or not now. Whether the operation happened is unknown; whatever it may have
    /// taken is released or ends by itself. Trying again later may work.
    #[error("the lock store at {address} is unavailable: {message}")]
    Unavailable {
        /// Where it is, without a password.
        address: String,
        /// What it said, or what was waited for.
        message: String,
    },

    /// The store cannot be used as it is: wrong credentials, an eviction policy that would drop locks, a network file
    /// system. Trying again won't help; the message says what does.
    #[error("the lock store at {address} cannot be used: {message}")]
    Refused {
        /// Where it is, without a password.
        address: String,
        /// Why, and what mends it.
        message: String,
    },

    /// An argument makes no sense; the message names it and the fix.
    #[error("{0}")]
    Invalid(String),

    /// The lease is no longer held.
    #[error("the lease of {key} was lost: {reason}")]
    Lost {
        /// The lock.
        key: LockKey,
        /// Why.
        reason: LeaseLost,
    },

    /// `Locks::close` was called.
    #[error("the locks are closed")]
    Closed,
}

impl Error {
    /// Whether trying again later may work.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// The same error for another who asked.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unavailable { address, message } => {
                Self::Unavailable { address: address.clone(), message: message.clone() }
            }
            Self::Refused { address, message } => Self::Refused { address: address.clone(), message: message.clone() },
            Self::Closed => Self::Closed,
            other => Self::Invalid(other.to_string()),
        }
    }

    pub(crate) fn invalid_ttl(ttl: Duration, max: Duration) -> Self {
        Self::Invalid(format!(
            "a ttl of {ttl:?} is not between 100 ms and max_ttl, which is {max:?}; raise it with LocksBuilder::max_ttl"
        ))
    }
}
