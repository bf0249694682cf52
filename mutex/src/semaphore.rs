use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{
    Error, IntoKey, Kind, Lease, LockKey, Owner, Released, Taken, Ticket,
    handle::{Handle, options},
    session::Session,
    store::LeaseId,
};

/// A lock that so many holders have at a time, in all processes that use the same store.
///
/// The number of leases is kept with each key: the first who asks stores the number that it was made with, and an operator's
/// [`resize`](Self::resize) overrides it. A program that says another number is told so in its log, and the stored one counts.
///
/// Those who wait are served first come, first served, and strictly: one who wants more permits than are free holds back those
/// behind, or it would wait for ever.
#[derive(Debug, Clone)]
pub struct Semaphore(pub(crate) Handle);

impl Semaphore {
    pub(crate) fn new(session: Arc<Session>, name: &str, leases: u32) -> Self {
        Self(Handle::new(session, LockKey::new(Kind::Semaphore, name), leases))
    }

    options!();

    /// How many of the leases one permit takes; 1 by default.
    pub fn weight(mut self, weight: u32) -> Self {
        self.0.weight = weight;
        self
    }

    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock`](crate::Mutex::lock).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, and releases what may have been granted meanwhile.
    pub async fn acquire(&self) -> Result<Permit, Error> {
        self.0.take().await.map(Permit)
    }

    /// Takes a permit if one is free and nobody waits for it.
    ///
    /// # Errors
    ///
    /// As [`Mutex::try_lock`](crate::Mutex::try_lock).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future releases what may have been granted.
    pub async fn try_acquire(&self) -> Result<Option<Permit>, Error> {
        Ok(self.0.try_take().await?.map(Permit))
    }

    /// Waits for a permit, but no longer than `timeout`; `None` where that was not long enough.
    ///
    /// # Errors
    ///
    /// As [`Mutex::lock`](crate::Mutex::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_timeout(&self, timeout: Duration) -> Result<Option<Permit>, Error> {
        Ok(self.0.take_timeout(timeout).await?.map(Permit))
    }

    /// Takes a permit, or keeps a place in line; see [`Mutex::take_or_park`](crate::Mutex::take_or_park).
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the place, and releases what may have been granted.
    pub async fn take_or_park(&self, place: Option<&Ticket>) -> Result<Taken<Permit>, Error> {
        Ok(self.0.take_or_park(place, Duration::ZERO).await?.map(Permit))
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
    pub async fn wait_or_park(&self, place: Option<&Ticket>, soon: Duration) -> Result<Taken<Permit>, Error> {
        Ok(self.0.take_or_park(place, soon).await?.map(Permit))
    }

    /// Sets how many leases this key has, for good; `None` goes back to what its users say. Shrinking takes no permit from its
    /// holder: those beyond the new number are not given out again.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Refused`], and [`Error::Invalid`] for 0.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves unknown whether it happened.
    pub async fn resize(&self, leases: Option<u32>) -> Result<(), Error> {
        crate::locks::resize(&self.0.session, &self.0.key, leases).await
    }
}

/// A held part of a [`Semaphore`].
///
/// It is a [`Lease`]; dropping it releases it in the background.
#[derive(Debug)]
#[must_use = "the permit is released when this is dropped"]
pub struct Permit(pub(crate) Lease);

impl Permit {
    /// Gives the permit back, and hands it to whoever waits first.
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

impl Deref for Permit {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.0
    }
}

impl From<Permit> for Lease {
    fn from(permit: Permit) -> Self {
        permit.0
    }
}
