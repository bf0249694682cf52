use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    Error, LockKey,
    session::{Held, Session},
    store::LeaseId,
};

/// A number that rises with every grant of one lock.
///
/// Send it along with a write, and let the resource refuse a token lower than the highest that it has seen: then a holder that was
/// stopped in the middle of its work, and goes on after its lease went to another, changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(u64);

impl FencingToken {
    /// The token of that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number: below 2^53, so that any format carries it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a lease is no longer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseLost {
    /// It could not be renewed in time; the store may give it to another soon.
    Unreachable,
    /// The store says that it is no longer ours: it ended while this process was stopped, or an operator released it.
    Taken,
    /// An operator asked that it be let go. It is still held, and renewed, until it is released or dropped.
    Revoked,
    /// It was not to be renewed any longer: its task is past its hard time limit.
    Overlong,
    /// Its holder released it.
    Released,
}

impl LeaseLost {
    /// The member as it is written in logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Taken => "taken",
            Self::Revoked => "revoked",
            Self::Overlong => "overlong",
            Self::Released => "released",
        }
    }
}

impl fmt::Display for LeaseLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "it could not be renewed in time",
            Self::Taken => "the store gave it away",
            Self::Revoked => "an operator revoked it",
            Self::Overlong => "its task is past its hard time limit",
            Self::Released => "its holder released it",
        })
    }
}

/// What a release found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// It was held until now.
    Ok,
    /// It had been lost before: another may have held the lock meanwhile.
    AlreadyLost,
}

/// Ownership for a bounded time, renewed while this value lives.
///
/// A [`MutexGuard`](crate::MutexGuard) and a [`Permit`](crate::Permit) are leases. Dropping one releases it in the background and
/// never waits; its `release` waits for the store and says whether the lease was held to the end.
#[must_use = "the lease is released when this is dropped"]
pub struct Lease {
    pub(crate) held: Arc<Held>,
    pub(crate) session: Arc<Session>,
}

impl Lease {
    /// The lock.
    pub fn key(&self) -> &LockKey {
        &self.held.ask.key
    }

    /// This lease's own id, by which an operator names it.
    pub fn id(&self) -> &LeaseId {
        &self.held.ask.lease
    }

    /// Its token: higher than that of every lease of this lock that was granted before.
    pub fn fencing_token(&self) -> FencingToken {
        self.held.fence
    }

    /// Is cancelled once the lease is lost or revoked, before the store could give it to another: a fifth of its ttl before its
    /// end, at most 2 s, so that work has time to stop.
    pub fn lost(&self) -> &CancellationToken {
        &self.held.lost
    }

    /// Is cancelled once the lease is no longer held, as [`lost`](Self::lost) is, but not when it is revoked: then it is held on
    /// until its holder lets go, and this says whether it was lost meanwhile.
    pub fn gone(&self) -> &CancellationToken {
        &self.held.gone
    }

    /// Why it is lost; `None` while it is held.
    pub fn lost_reason(&self) -> Option<LeaseLost> {
        self.held.check();
        self.held.reason.get().copied()
    }

    /// Checks that it is held, by this machine's clock, suspends counted. It asks nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] where it is not.
    pub fn ensure_valid(&self) -> Result<(), Error> {
        match self.lost_reason() {
            None => Ok(()),
            Some(reason) => Err(Error::Lost { key: self.key().clone(), reason }),
        }
    }

    /// How long it is held from now if it is never renewed again; zero where it is lost, [`Duration::MAX`] where it ends with its
    /// process.
    pub fn remaining(&self) -> Duration {
        self.held.remaining()
    }

    /// Stops its renewal at an instant, for good: a task past its hard time limit must not hold a lock for ever.
    pub fn stop_renewing_at(&self, instant: Instant) {
        self.held.stop_renewing_at(instant);
    }

    /// Runs `future` while the lease is held, and drops it once the lease is lost or revoked.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] where it was dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping this drops `future`.
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> Result<T, Error> {
        self.ensure_valid()?;
        tokio::select! {
            biased;
            () = self.lost().cancelled() => {
                let reason = self.lost_reason().unwrap_or(LeaseLost::Unreachable);
                Err(Error::Lost { key: self.key().clone(), reason })
            }
            done = future => Ok(done),
        }
    }

    /// Releases it while others may still look at it: they find it lost. For who shares a lease; a guard is released by its own
    /// `release`.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where the store did not answer; it is told again in the background.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the rest to the background.
    pub async fn end(&self) -> Result<Released, Error> {
        self.session.release(&self.held).await
    }

    /// What is not told to the store by this call, because it fails or is dropped, is told in the background.
    pub(crate) async fn release(self) -> Result<Released, Error> {
        self.session.release(&self.held).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.session.let_go(&self.held);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("key", &self.key().to_string())
            .field("id", &self.id().as_str())
            .field("fencing_token", &self.fencing_token().get())
            .field("lost", &self.held.reason.get())
            .finish_non_exhaustive()
    }
}
