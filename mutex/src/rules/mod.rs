//! The rules of one lock, as a pure state machine: who is granted what, in which order, by which clock.
//!
//! The memory and the SQLite store run exactly this; the Redis store says the same in Lua, and a test compares the two step by step.
//! A mutex is a semaphore of one lease. Instants are microseconds since 1970 by the store's clock.

pub(crate) mod acquire;
mod describe;
mod line;
pub(crate) mod pump;
mod renew;
mod spend;
mod steer;

use std::time::Duration;

pub use self::{
    line::{Line, MemoryLine, Waiting},
    spend::spend,
};
use crate::{
    LockKey, Owner,
    store::{Ask, Hint, LeaseId, ProcessId},
};

/// Microseconds since 1970, by the store's clock.
pub type Micros = u64;

/// One lock, but for those who wait, which are in its [`Line`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lock {
    /// How many leases it has; `None` until somebody says.
    pub leases: Option<u32>,
    /// Whether an operator has said it.
    pub resized: bool,
    /// The last token given out.
    pub fence: u64,
    /// The last rank given out.
    pub ranks: u64,
    /// How long a lease is held: an exponentially weighted mean, microseconds.
    pub mean_hold: Option<Micros>,
    /// Until when holders from before the store lost its memory may claim their leases again.
    pub reassert_until: Option<Micros>,
    /// Oldest first.
    pub holders: Vec<Held>,
    /// The highest ranks that were served past the first parked place, in the order in which they were.
    pub passers: Vec<u64>,
}

/// One holder.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Its lease.
    pub lease: LeaseId,
    /// Whom to tell.
    pub process: ProcessId,
    /// How many leases it took.
    pub weight: u32,
    /// When it ends; `None` where it ends with its process.
    pub ends: Option<Micros>,
    /// When it began.
    pub since: Micros,
    /// Its token.
    pub fence: u64,
    /// Whether it was asked to let go.
    pub revoked: bool,
    /// Who it is.
    pub owner: Owner,
}

/// What a process is told about one of its leases of this lock; with the lock's key it is a [`Hint`](crate::store::Hint).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It was granted.
    Granted(LeaseId),
    /// It should be renewed after this long.
    Look(LeaseId, Duration),
}

impl News {
    /// The hint about the lock of that key.
    pub fn about(self, key: &LockKey) -> Hint {
        match self {
            Self::Granted(lease) => Hint::Granted { key: key.clone(), lease },
            Self::Look(lease, after) => Hint::Look { key: key.clone(), lease, after },
        }
    }
}

/// What the rules must know of the world.
pub trait World {
    /// The store's clock.
    fn now(&self) -> Micros;

    /// Whether leases end by time, as they do by default. Otherwise they end when [`is_dead`](Self::is_dead) says so.
    fn expiring(&self) -> bool {
        true
    }

    /// Whether a process is known to have died; by default nobody knows.
    fn is_dead(&self, _process: &ProcessId) -> bool {
        false
    }

    /// Until when a store that has lost its memory gives out no exclusive lock that it does not remember: its holder may live. By default
    /// it has lost nothing.
    fn grace_until(&self) -> Option<Micros> {
        None
    }

    /// What such a store remembers is from before this instant: who was given a lock later is not known. By default it remembers nothing.
    fn remembers_until(&self) -> Micros {
        0
    }

    /// Tells a process. `false` where it is known that nobody hears.
    fn tell(&mut self, process: &ProcessId, news: News) -> bool;
}

impl Lock {
    /// How many leases are held, by weight.
    pub fn used(&self) -> u32 {
        self.holders.iter().map(|held| held.weight).sum()
    }

    /// Until when the lock is kept back for a holder from before the store lost its memory; `None` where it is not. A lock that it has given
    /// out since has none.
    fn kept_back(&self, world: &impl World) -> Option<Micros> {
        let forgotten = self.leases == Some(1) && self.fence <= world.remembers_until();
        world.grace_until().filter(|until| forgotten && *until > world.now())
    }

    /// Whether nothing is left to remember but the fence.
    pub fn is_idle(&self) -> bool {
        self.holders.is_empty() && !self.resized
    }

    fn held(&mut self, lease: &LeaseId) -> Option<&mut Held> {
        self.holders.iter_mut().find(|held| held.lease == *lease)
    }

    /// When the first lease ends if nobody renews it, from now.
    fn first_end(&self, now: Micros) -> Option<Duration> {
        let first = self.holders.iter().filter_map(|held| held.ends).min()?;
        Some(Duration::from_micros(first.saturating_sub(now)))
    }

    /// Removes those whose time is over or whose process is dead.
    fn reap(&mut self, world: &impl World) {
        let now = world.now();
        self.holders.retain(|held| !world.is_dead(&held.process) && held.ends.is_none_or(|ends| ends > now));
    }

    /// Makes a holder, for `ttl`.
    fn grant(&mut self, world: &impl World, who: Who<'_>, ttl: Duration) -> u64 {
        let now = world.now();
        self.fence = self.next_fence(now);
        self.holders.push(Held {
            lease: who.lease.clone(),
            process: who.process.clone(),
            weight: who.weight,
            ends: world.expiring().then(|| now + micros(ttl)),
            since: now,
            fence: self.fence,
            revoked: false,
            owner: who.owner.clone(),
        });
        self.fence
    }

    /// The clock keeps tokens rising where the last one was forgotten; the last one, where the clock went back.
    fn next_fence(&self, now: Micros) -> u64 {
        now.max(self.fence + 1)
    }
}

/// What becomes a holder.
#[derive(Clone, Copy)]
struct Who<'a> {
    lease: &'a LeaseId,
    process: &'a ProcessId,
    weight: u32,
    owner: &'a Owner,
}

impl<'a> From<&'a Ask> for Who<'a> {
    fn from(ask: &'a Ask) -> Self {
        Self { lease: &ask.lease, process: &ask.process, weight: ask.weight, owner: &ask.owner }
    }
}

impl<'a> From<&'a Waiting> for Who<'a> {
    fn from(waiting: &'a Waiting) -> Self {
        Self { lease: &waiting.lease, process: &waiting.process, weight: waiting.weight, owner: &waiting.owner }
    }
}

/// Whole microseconds, saturating.
pub fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}
