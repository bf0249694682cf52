//! What a run holds: the leases of its task, and those that its handler asks for.

mod ask;
mod home;
mod kept;
mod loss;
mod part;
mod wanted;

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use celeriac_mutex::Lease;
use futures_util::future::join_all;
use tokio::sync::Notify;

use self::part::Parts;
pub use self::part::{TaskLease, TaskMutex, TaskSemaphore};
pub(crate) use self::{
    ask::{Answer, Ask, Patience, ask},
    home::{Home, VARIABLE, check_declared},
    kept::Kept,
    loss::Loss,
    wanted::{Wanted, in_order},
};

/// How long a release that is waited for may take. Whatever is left goes on in the background.
const RELEASE: Duration = Duration::from_secs(1);

/// What a run holds. For a task without locks it is empty, and nothing is allocated.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    home: Option<Arc<Home>>,
    /// The leases of the task's own locks.
    held: Vec<HeldLease>,
    /// Places in line that the message has brought and nobody has used yet.
    places: Mutex<Kept>,
    /// What the handler asks for beside them.
    parts: OnceLock<Arc<Parts>>,
    /// Tells who watches for losses that there is one lease more to watch.
    parts_changed: Notify,
    /// When nothing is renewed any more.
    until: Option<Instant>,
}

/// A lease of one of the task's own locks.
#[derive(Debug)]
pub(crate) struct HeldLease {
    pub(crate) labels: Vec<Cow<'static, str>>,
    pub(crate) address: String,
    pub(crate) lease: Lease,
}

impl Hold {
    /// What a run begins with; its leases are not renewed past `hard`.
    pub(crate) fn new(home: Option<Arc<Home>>, held: Vec<HeldLease>, places: Kept, hard: Option<Duration>) -> Self {
        let until = hard.and_then(|hard| Instant::now().checked_add(hard));
        if let Some(until) = until {
            for held in &held {
                held.lease.stop_renewing_at(until);
            }
        }
        Self { home, held, places: Mutex::new(places), parts: OnceLock::new(), parts_changed: Notify::new(), until }
    }

    /// Whether the run may hold anything: it has leases of its own, or could ask for some.
    pub(crate) fn may_lose(&self) -> bool {
        !self.held.is_empty() || self.home.is_some()
    }

    /// The lease of that label or address.
    pub(crate) fn lease(&self, name: &str) -> Option<&Lease> {
        let named = |held: &&HeldLease| held.address == name || held.labels.iter().any(|label| label == name);
        self.held.iter().find(named).map(|held| &held.lease)
    }

    /// The addresses of the task's own locks.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.held.iter().map(|held| held.address.as_str()).collect()
    }

    /// The fencing tokens of everything that is held, by address.
    pub(crate) fn fences(&self) -> Vec<(String, u64)> {
        let own = self.held.iter().map(|held| (held.address.clone(), held.lease.fencing_token().get()));
        own.chain(self.parts.get().into_iter().flat_map(|parts| parts.fences())).collect()
    }

    /// Places to be written down when the message goes back, and whether the handler has found a lock busy.
    pub(crate) fn kept(&self) -> Kept {
        let mut kept = std::mem::take(&mut *self.places());
        if let Some(parts) = self.parts.get() {
            kept.places.extend(parts.parked());
        }
        kept
    }

    fn places(&self) -> MutexGuard<'_, Kept> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the task's own leases. What the handler has asked for is released when it is dropped.
    pub(crate) async fn release(&self) {
        if !self.held.is_empty() {
            release(&self.held).await;
        }
    }
}

/// Releases leases, all at once. A store that does not answer is told in the background.
pub(crate) async fn release(held: &[HeldLease]) {
    let released = join_all(held.iter().map(|held| held.lease.end()));
    // An error or the time passing: the leases are released in the background, or end by themselves.
    let _ = tokio::time::timeout(RELEASE, released).await;
}
