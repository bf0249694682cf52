use std::{fmt, ops::Deref, sync::Arc};

use celeriac_mutex::{Error, Lease, Released};

use super::Parts;

/// A lease that a handler holds for a part of its run. Dropping it releases it in the background.
///
/// When it is lost, the run ends as it does for a lease of the task's own locks: its future is dropped, the attempt has failed, and the
/// reason is `lease_lost`. When an operator revokes it, the run is asked to stop.
#[must_use = "the lock is released when this is dropped"]
pub struct TaskLease {
    lease: Arc<Lease>,
    entry: Entry,
}

/// A lock's presence among what a run holds.
pub(super) struct Entry {
    parts: Arc<Parts>,
    address: String,
}

impl Entry {
    pub(super) fn new(parts: Arc<Parts>, address: String) -> Self {
        Self { parts, address }
    }

    pub(super) fn granted(self, lease: Lease) -> TaskLease {
        let lease = Arc::new(lease);
        self.parts.granted(&self.address, lease.clone());
        TaskLease { lease, entry: self }
    }

    fn let_go(&self) {
        self.parts.let_go(&self.address);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.let_go();
        self.parts.leave(&self.address);
    }
}

impl TaskLease {
    /// Releases the lock, and hands it to whoever waits first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the store did not answer; it is told again in the background.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the rest to the background.
    pub async fn release(self) -> Result<Released, Error> {
        self.entry.let_go();
        self.lease.end().await
    }
}

impl Deref for TaskLease {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl fmt::Debug for TaskLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lease, f)
    }
}
