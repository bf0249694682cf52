//! What a store of leases does, as one object-safe trait, and the words that go over it.
//!
//! The store's state is the truth and its messages are hints: a lost [`Hint`] costs time until the next renewal, never a permit.
//! Every operation is atomic in the store, measures time by the store's own clock, and may be repeated: a reply that was lost is asked
//! for again with the same [`LeaseId`].

mod answer;
mod ask;
mod inspect;
mod name;

use async_trait::async_trait;
use tokio::{runtime::Handle, sync::mpsc};

pub use self::{
    answer::{Answer, Granted, Handed, Hint, Release, Renewed, Spent},
    ask::{Ask, Queueing, Renewal, Spend},
    inspect::{Capabilities, Finding, Holder, LockState, LockSummary, Severity, Waiter},
    name::{LeaseId, ProcessId},
};
use crate::{Error, LockKey};

/// Where leases are kept.
///
/// # Time
///
/// A lease ends `ttl` after its last acquisition or renewal, by the store's clock, unless [`Capabilities::expiring`] is false: then
/// it ends with its process. A waiter that is not renewed for [`WAITER_TTL`] leaves the queue. A parked place ends [`PLACE_GRACE`]
/// after the delay it was told.
///
/// # Order
///
/// Waiters of one lock are served first come, first served, by direct hand-off: what frees a lease gives it to the head of the queue
/// in the same step. A waiter that needs more permits than are free holds back those behind it. Parked places keep their rank but are
/// passed over while their task is away, at most [`MAX_BYPASS`] times each: then the lock is kept for the first of them until it is due.
///
/// # Errors
///
/// Every method answers within a bounded time, about a second: with [`Error::Unavailable`] where the store did not answer, and the
/// operation may have happened or not.
///
/// # Cancel safety
///
/// Every future may be dropped; what it asked may then have happened or not. The session releases what it no longer wants.
#[async_trait]
pub trait LeaseStore: std::fmt::Debug + Send + Sync + 'static {
    /// What this store can do.
    fn capabilities(&self) -> Capabilities;

    /// Begins to hear hints for `process`, on `runtime`, which is the session's own thread and the place for whatever the store must
    /// keep running. Does no I/O by itself; after each reconnection it sends [`Hint::Resync`]. A channel that is full loses hints, as a
    /// network would.
    fn open(&self, process: &ProcessId, runtime: &Handle, hints: mpsc::Sender<Hint>);

    /// Asks for a lease.
    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error>;

    /// Gives a lease of `process` back, or leaves the queue, and hands on in the same step: to waiters of that process in the answer, to
    /// those of others by hints. Whoever does not get the answer asks again, and where nothing is found then, renews its waiters.
    async fn release(&self, key: &LockKey, lease: &LeaseId, process: &ProcessId) -> Result<Release, Error>;

    /// Renews leases and places in queues, in one or few round trips; answers in the order of the batch.
    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error>;

    /// Spends from a rate limit, in one command.
    async fn spend(&self, spend: &Spend) -> Result<Spent, Error>;

    /// Sets how many leases a semaphore has, for good; `None` goes back to what its users say. Shrinking takes no lease from its holder.
    async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error>;

    /// The locks that exist now, at most `limit` of them, in no order.
    async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error>;

    /// Everything about one lock; `None` where nobody holds, waits for or has lately held it.
    async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error>;

    /// Asks the holder to let go: its next renewal says [`Renewed::Held`] with `revoked`. `false` where there is no such lease.
    async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error>;

    /// Takes a lease from its holder, whether it agrees or not, and raises the fence past its token. `false` where there is no such lease.
    async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error>;

    /// What an operator should know about this store: eviction, persistence, clocks.
    async fn diagnose(&self) -> Result<Vec<Finding>, Error>;

    /// Forgets `process`: it hears no more hints. Its leases were released before.
    async fn close(&self, process: &ProcessId);
}

/// How long a waiter stays in the queue without being renewed: 15 s.
pub const WAITER_TTL: std::time::Duration = std::time::Duration::from_secs(15);
/// How long past the delay it was told a parked place is kept: 10 min.
pub const PLACE_GRACE: std::time::Duration = std::time::Duration::from_secs(600);
/// How often a parked place is passed over by later ones before the lock is kept for it, once it is the first: 12.
pub const MAX_BYPASS: usize = 12;
/// The longest lease that a hand-off grants to another process before the winner has renewed it: 500 ms.
pub const PROBATION: std::time::Duration = std::time::Duration::from_millis(500);
/// How long a key outlives its last use, so that fencing tokens keep rising: 1 h.
pub const RETENTION: std::time::Duration = std::time::Duration::from_secs(3600);
/// The bounds of the delay that a parked place is told: 50 ms to 5 min.
pub const PLACE_DELAY: std::ops::RangeInclusive<std::time::Duration> =
    std::time::Duration::from_millis(50)..=std::time::Duration::from_secs(300);
