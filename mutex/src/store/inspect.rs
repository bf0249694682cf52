use std::time::{Duration, SystemTime};

use super::LeaseId;
use crate::{FencingToken, LockKey, Owner};

/// What a store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Leases end by time. Otherwise they end with their process, which the store recognises.
    pub expiring: bool,
    /// Processes on other machines share it.
    pub shared: bool,
}

impl Capabilities {
    /// What is true of a store whose leases end by time, on many machines.
    pub const fn networked() -> Self {
        Self { expiring: true, shared: true }
    }

    /// What is true of a store of one machine that knows when a process has died.
    pub const fn local() -> Self {
        Self { expiring: false, shared: false }
    }
}

/// One line of a list of locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockSummary {
    /// The lock.
    pub key: LockKey,
    /// How many leases it has.
    pub leases: u32,
    /// How many are held, by weight.
    pub used: u32,
    /// How many wait or are parked.
    pub waiting: u64,
}

/// Everything about one lock.
#[derive(Debug, Clone, PartialEq)]
pub struct LockState {
    /// The lock.
    pub key: LockKey,
    /// How many leases it has.
    pub leases: u32,
    /// Whether an operator has set that number.
    pub resized: bool,
    /// How many are held, by weight.
    pub used: u32,
    /// The last token given out.
    pub fence: FencingToken,
    /// How long a lease is held, on average; `None` before the first release.
    pub mean_hold: Option<Duration>,
    /// Oldest first.
    pub holders: Vec<Holder>,
    /// In the order in which they will be served.
    pub waiters: Vec<Waiter>,
}

/// One holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its lease.
    pub lease: LeaseId,
    /// Who it is.
    pub owner: Owner,
    /// How many leases it took.
    pub weight: u32,
    /// When it got them.
    pub since: SystemTime,
    /// When they end if it does not renew them; `None` where they end with its process.
    pub ttl_left: Option<Duration>,
    /// Its token.
    pub fence: FencingToken,
    /// Whether it was asked to let go.
    pub revoked: bool,
}

/// One who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Its lease, to be.
    pub lease: LeaseId,
    /// Who it is.
    pub owner: Owner,
    /// How many leases it wants.
    pub weight: u32,
    /// When it began.
    pub since: SystemTime,
    /// For a parked place: when it is due back.
    pub due: Option<SystemTime>,
}

/// Something an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at: `maxmemory-policy`, `persistence`, `clock`, ...
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, and what mends it.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub fn new(check: &'static str, severity: Severity, text: impl Into<String>) -> Self {
        Self { check, severity, text: text.into() }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All is well.
    Ok,
    /// It works, but not as it should.
    Warning,
    /// Locks are not safe here.
    Error,
}
