use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{
    Error, IntoKey, Kind, Lease, LockKey, Owner, Released, Taken, Ticket,
    handle::{Handle, options},
    session::Session,
    store::LeaseId,
};

/// A lock that one holder has at a time, in all processes that use the same store.
///
/// It is a handle: cheap to make, cheap to clone, and nothing until it is locked. Those who wait are served first come, first served.
/// It cannot be locked twice by the same holder: the second waits for the first.
#[derive(Debug, Clone)]
pub struct Mutex(pub(crate) Handle);

impl Mutex {
    pub(crate) fn new(session: Arc<Session>, name: &str) -> Self {
        Self(Handle::new(session, LockKey::new(Kind::Mutex, name), 1))
    }

    options!();

    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where the store did not answer for [`patience`](crate::LocksBuilder::patience) (5 s);
    /// [`Error::Refused`] and [`Error::Invalid`] at once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and releases what may have been granted meanwhile.
    pub async fn lock(&self) -> Result<MutexGuard, Error> {
        self.0.take().await.map(MutexGuard)
    }

    /// Takes the lock if it is free and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), but [`Error::Unavailable`] at the first question without an answer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases what may have been granted.
    pub async fn try_lock(&self) -> Result<Option<MutexGuard>, Error> {
        Ok(self.0.try_take().await?.map(MutexGuard))
    }

    /// Waits for the lock, but no longer than `timeout`; `None` where that was not long enough.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    pub async fn lock_timeout(&self, timeout: Duration) -> Result<Option<MutexGuard>, Error> {
        Ok(self.0.take_timeout(timeout).await?.map(MutexGuard))
    }

    /// Takes the lock, or keeps a place in line while the caller goes away: for work that can be put off.
    ///
    /// `place` is the ticket of the place kept by the last such call. It can be used once, so that of two copies of the same work
    /// only one has the place.
    ///
    /// # Errors
    ///
    /// As [`try_lock`](Self::try_lock).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place, and releases what may have been granted.
    pub async fn take_or_park(&self, place: Option<&Ticket>) -> Result<Taken<MutexGuard>, Error> {
        Ok(self.0.take_or_park(place, Duration::ZERO).await?.map(MutexGuard))
    }

    /// As [`take_or_park`](Self::take_or_park), but where the turn is expected within `soon`, it is waited for first: for at most twice
    /// the time that is expected, so never longer than `2 * soon`. Whoever keeps its place by way of a broker would hardly be back
    /// before, and nobody would be there to take the lock meanwhile.
    ///
    /// # Errors
    ///
    /// As [`take_or_park`](Self::take_or_park).
    ///
    /// # Cancel safety
    ///
    /// As [`take_or_park`](Self::take_or_park).
    pub async fn wait_or_park(&self, place: Option<&Ticket>, soon: Duration) -> Result<Taken<MutexGuard>, Error> {
        Ok(self.0.take_or_park(place, soon).await?.map(MutexGuard))
    }
}

/// A held [`Mutex`].
///
/// It is a [`Lease`]; dropping it releases it in the background.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct MutexGuard(pub(crate) Lease);

impl MutexGuard {
    /// Releases the lock, and hands it to whoever waits first.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where the store did not answer; it is told again in the background.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the rest to the background.
    pub async fn release(self) -> Result<Released, Error> {
        self.0.release().await
    }
}

impl Deref for MutexGuard {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.0
    }
}

impl From<MutexGuard> for Lease {
    fn from(guard: MutexGuard) -> Self {
        guard.0
    }
}
