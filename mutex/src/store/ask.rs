use std::{sync::Arc, time::Duration};

use super::{LeaseId, ProcessId};
use crate::{FencingToken, LockKey, Owner, Rate};

/// A question for a lease.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The lock.
    pub key: LockKey,
    /// This attempt. A lease that is already held under this id is granted again, with the same token.
    pub lease: LeaseId,
    /// Whom to tell of a grant.
    pub process: ProcessId,
    /// How many leases the asker believes there are; stored where the lock has no such number yet.
    pub leases: u32,
    /// How many of them it takes.
    pub weight: u32,
    /// How long it lasts from each renewal.
    pub ttl: Duration,
    /// What to do when it cannot be had at once.
    pub queueing: Queueing,
    /// The lease id of a place kept by an earlier question, which this one takes over. It can be used once.
    pub place: Option<LeaseId>,
    /// Whether those who wait come first; unfair askers may take what is free past the queue.
    pub fair: bool,
    /// Who asks, for people.
    pub owner: Owner,
}

/// What to do when a lease cannot be had at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Queueing {
    /// Say so.
    No,
    /// Stand in line: the process is told when it is its turn, and renews its place until then.
    Wait,
    /// Keep a place in line and go away: the answer says when to come back.
    Park {
        /// Multiplies the expected wait: from 0.6 up to 1.0, drawn by the asker.
        jitter: f64,
    },
}

/// One lease or place in line to be renewed.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// What was asked: the lock, the lease and its ttl, and what a store that has lost its memory must know again.
    pub ask: Arc<Ask>,
    /// The token of a lease that is held; `None` for a waiter.
    pub fence: Option<FencingToken>,
    /// Whether a store that has lost its memory may take this renewal's word for it: the holder's own validity has not run out.
    pub reassert: bool,
}

/// A question to a rate limit.
#[derive(Debug, Clone)]
pub struct Spend {
    /// The limit.
    pub key: LockKey,
    /// How fast it refills, and how far.
    pub rate: Rate,
    /// How much of it to spend.
    pub cost: u32,
    /// Where there is not enough: how far ahead a turn may be reserved; zero reserves nothing.
    pub horizon: Duration,
}
