use std::time::Duration;

use super::LeaseId;
use crate::{FencingToken, LockKey, Owner};

/// What a store says to a question for a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is granted.
    Granted(Granted),
    /// It is not, and nothing was kept.
    Busy {
        /// The oldest holder; `None` where none is known, as after a restart of the store.
        holder: Option<Owner>,
        /// When it may be worth asking again, as far as the store can say.
        retry_in: Duration,
        /// How many wait.
        waiting: u64,
    },
    /// A place in line was taken.
    Queued {
        /// 1 for the head.
        position: u64,
        /// When the first lease ends if nobody renews it: then the head should ask again.
        look_in: Duration,
    },
    /// A place in line was kept.
    Parked {
        /// 1 for the head.
        position: u64,
        /// When to come back.
        delay: Duration,
        /// The oldest holder.
        holder: Option<Owner>,
    },
}

/// A lease that is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Rises with every grant of the lock.
    pub fence: FencingToken,
    /// How long it lasts from now; [`Duration::MAX`] where it lasts as long as its process.
    pub ttl: Duration,
    /// How many leases the lock has, which may differ from what the asker believed: the store's number wins.
    pub leases: u32,
}

/// What a store says to one renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// It is held for another `ttl`.
    Held {
        /// How long it lasts from now; [`Duration::MAX`] where it lasts as long as its process.
        ttl: Duration,
        /// Somebody asked that it be let go.
        revoked: bool,
    },
    /// It waits on.
    Waiting {
        /// 1 for the head.
        position: u64,
        /// When the first lease ends if nobody renews it.
        look_in: Duration,
    },
    /// It was granted while it waited, and the hint did not arrive.
    Granted(Granted),
    /// It is gone: taken by another, released by an operator, or forgotten.
    Lost,
}

/// What a store says to a process that gives a lease back, or leaves a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// Whether there was anything to give back: a lease that had not ended, or a place in line.
    pub found: bool,
    /// What this process's own waiters were handed by it: this answer is all that tells them.
    pub handed: Vec<Handed>,
    /// Which waiter of this process is now the head, and how long it may wait before it renews its place, as in [`Hint::Look`].
    pub look: Option<(LeaseId, Duration)>,
}

/// A lease that was handed to a waiter of the process which released another: for its whole ttl, as it is known to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The waiter.
    pub lease: LeaseId,
    /// What it was granted.
    pub granted: Granted,
}

/// What a store tells a process without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A waiter has its lease, for [`PROBATION`](super::PROBATION): confirm it by a renewal before use.
    Granted {
        /// The lock, so that a process that no longer wants it can give it back.
        key: LockKey,
        /// The waiter.
        lease: LeaseId,
    },
    /// A waiter is now the head, and the first lease ends in `after` if nobody renews it; or something about a lease has changed, and
    /// it should be renewed now.
    Look {
        /// The lock.
        key: LockKey,
        /// The waiter or the holder.
        lease: LeaseId,
        /// How long to wait before it renews its place, which takes the lease if it has ended.
        after: Duration,
    },
    /// Hints may have been lost: renew everything now.
    Resync,
}

/// What a rate limit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Enough was there.
    Now,
    /// A turn was reserved: it comes in this long, and is paid for.
    Reserved(Duration),
    /// Not enough is there for this long, and nothing was reserved.
    Refused(Duration),
}
