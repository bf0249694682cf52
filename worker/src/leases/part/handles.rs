use std::{sync::Arc, time::Duration};

use celeriac_broker::{Request, TaskError};
use celeriac_mutex::{Error, Kind, Lease, LockKey, Owner};

use super::{
    super::{Answer, Ask, Hold, Home, Patience, VARIABLE, ask},
    TaskLease,
    guard::Entry,
    twice,
};
use crate::execution::unavailable;

/// A mutex that a handler asks for: [`Context::mutex`](crate::Context::mutex).
#[derive(Debug)]
#[must_use = "nothing is held before `lock`"]
pub struct TaskMutex<'a>(Asking<'a>);

/// A semaphore that a handler asks for: [`Context::semaphore`](crate::Context::semaphore).
#[derive(Debug)]
#[must_use = "nothing is held before `acquire`"]
pub struct TaskSemaphore<'a>(Asking<'a>);

/// What is asked for, and by whom.
#[derive(Debug)]
struct Asking<'a> {
    hold: &'a Hold,
    request: &'a Request,
    key: LockKey,
    leases: Option<u32>,
    weight: u32,
    ttl: Option<Duration>,
}

/// A lock that another holds.
#[derive(Debug, thiserror::Error)]
#[error("{address} is held by {}", .holder.as_ref().map_or_else(|| "another".to_owned(), Owner::to_string))]
struct Held {
    address: String,
    holder: Option<Owner>,
}

impl<'a> TaskMutex<'a> {
    pub(crate) fn new(hold: &'a Hold, request: &'a Request, name: &str, parts: Vec<String>) -> Self {
        Self(Asking::new(hold, request, LockKey::new(Kind::Mutex, name).parts(parts), Some(1)))
    }

    /// How long a lease lasts from each renewal. Default: the locks' own, 15 s.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = Some(ttl);
        self
    }

    /// Takes the lock, or keeps a place in line and returns an error that defers the task by `?`: no attempt is counted, and
    /// it comes back when its turn is expected.
    ///
    /// # Errors
    /// A deferral where it is busy or its store does not answer; a permanent error where this run holds it already, or there is
    /// no store.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the place, and releases what may have been granted.
    pub async fn lock(&self) -> Result<TaskLease, TaskError> {
        self.0.take().await
    }

    /// Takes the lock if it is free and nobody waits for it.
    ///
    /// # Errors
    /// As [`lock`](Self::lock), but for a busy lock, which is `None`.
    ///
    /// # Cancel safety
    /// Dropping the future releases what may have been granted.
    pub async fn try_lock(&self) -> Result<Option<TaskLease>, TaskError> {
        self.0.try_take().await
    }
}

impl<'a> TaskSemaphore<'a> {
    pub(crate) fn new(hold: &'a Hold, request: &'a Request, name: &str, parts: Vec<String>) -> Self {
        let declared = hold.home.as_ref().and_then(|home| home.leases.get(name).copied());
        Self(Asking::new(hold, request, LockKey::new(Kind::Semaphore, name).parts(parts), declared))
    }

    /// How many leases it has. Default: what a task of this worker says that names it.
    pub fn leases(mut self, leases: u32) -> Self {
        self.0.leases = Some(leases);
        self
    }

    /// How many of them are taken. Default: 1.
    pub fn weight(mut self, weight: u32) -> Self {
        self.0.weight = weight;
        self
    }

    /// How long a lease lasts from each renewal. Default: the locks' own, 15 s.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.0.ttl = Some(ttl);
        self
    }

    /// Takes a lease, or keeps a place in line and returns an error that defers the task by `?`: no attempt is counted, and
    /// it comes back when its turn is expected.
    ///
    /// # Errors
    /// As [`TaskMutex::lock`]; a permanent error also where nobody has said how many leases there are.
    ///
    /// # Cancel safety
    /// As [`TaskMutex::lock`].
    pub async fn acquire(&self) -> Result<TaskLease, TaskError> {
        self.0.take().await
    }

    /// Takes a lease if one is free and nobody waits for it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), but for a busy semaphore, which is `None`.
    ///
    /// # Cancel safety
    /// Dropping the future releases what may have been granted.
    pub async fn try_acquire(&self) -> Result<Option<TaskLease>, TaskError> {
        self.0.try_take().await
    }
}

impl<'a> Asking<'a> {
    fn new(hold: &'a Hold, request: &'a Request, key: LockKey, leases: Option<u32>) -> Self {
        Self { hold, request, key, leases, weight: 1, ttl: None }
    }

    async fn take(&self) -> Result<TaskLease, TaskError> {
        let (home, leases, entry) = self.enter()?;
        let address = self.key.to_string();
        let ticket = self.hold.places().take_place(&address);
        match self.ask(home, leases, Patience::WaitOrPark(ticket.as_ref())).await? {
            Answer::Granted(lease) => Ok(self.granted(entry, lease)),
            Answer::Parked(place) => {
                self.hold.parts.get_or_init(Arc::default).park(address.clone(), place.ticket);
                Err(TaskError::defer(Held { address, holder: place.holder }, place.delay))
            }
            Answer::Busy => Err(TaskError::defer(Held { address, holder: None }, unavailable(0))),
        }
    }

    async fn try_take(&self) -> Result<Option<TaskLease>, TaskError> {
        let (home, leases, entry) = self.enter()?;
        match self.ask(home, leases, Patience::None).await? {
            Answer::Granted(lease) => Ok(Some(self.granted(entry, lease))),
            _ => Ok(None),
        }
    }

    /// Where it is, how many leases it has, and its presence among what the run holds.
    fn enter(&self) -> Result<(&Home, u32, Entry), TaskError> {
        let permanent = |fault: String| TaskError::permanent(TaskError::new(fault));
        let home = self.hold.home.as_deref().ok_or_else(|| {
            permanent(format!("{} can't be held: this worker has no place for leases; set {VARIABLE}", self.key))
        })?;
        let leases = self
            .leases
            .ok_or_else(|| permanent(format!("nobody says how many leases {} has; add .leases(n)", self.key)))?;
        let address = self.key.to_string();
        if self.hold.held.iter().any(|held| held.address == address) {
            return Err(twice(&address));
        }
        let parts = self.hold.parts.get_or_init(Arc::default);
        parts.enter(&address)?;
        Ok((home, leases, Entry::new(parts.clone(), address)))
    }

    async fn ask(&self, home: &Home, leases: u32, patience: Patience<'_>) -> Result<Answer, TaskError> {
        let request = self.request;
        let owner = home.locks.owner().task(&request.task, request.id.as_str());
        let question = Ask { key: self.key.clone(), leases, weight: self.weight, ttl: self.ttl, owner };
        ask(&home.locks, question, patience).await.map_err(|error| match error {
            Error::Invalid(_) => TaskError::permanent(error),
            error => TaskError::defer(error, unavailable(request.deferrals)),
        })
    }

    fn granted(&self, entry: Entry, lease: Lease) -> TaskLease {
        if let Some(until) = self.hold.until {
            lease.stop_renewing_at(until);
        }
        let lease = entry.granted(lease);
        self.hold.parts_changed.notify_one();
        lease
    }
}
