//! Locks for a part of a run, which its handler asks for.

mod guard;
mod handles;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use celeriac_broker::TaskError;
use celeriac_mutex::{Lease, LeaseLost, Ticket};

use super::loss::lost;

pub use self::{
    guard::TaskLease,
    handles::{TaskMutex, TaskSemaphore},
};

/// What a handler has asked for.
#[derive(Debug, Default)]
pub(super) struct Parts(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    /// What it holds, by address; none while it is being asked for, or released.
    held: Vec<(String, Option<Arc<Lease>>)>,
    /// The places in line of what was busy.
    parked: Vec<(String, Ticket)>,
    /// What befell a lease before the handler let go of it.
    lost: Option<String>,
}

impl Parts {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fences(&self) -> Vec<(String, u64)> {
        let held = &self.lock().held;
        let token = |lease: &Arc<Lease>| lease.fencing_token().get();
        held.iter().filter_map(|(address, lease)| Some((address.clone(), lease.as_ref().map(token)?))).collect()
    }

    /// What is held now.
    pub(super) fn leases(&self) -> Vec<Arc<Lease>> {
        let asked = self.lock();
        let held = asked.held.iter().filter_map(|(_, lease)| lease.clone());
        held.filter(|lease| lease.lost_reason() != Some(LeaseLost::Released)).collect()
    }

    /// The first lease that was lost before the handler let go of it.
    pub(super) fn lost(&self) -> Option<String> {
        let lost_before = self.lock().lost.clone();
        lost_before.or_else(|| self.leases().iter().find_map(|lease| lost(lease)))
    }

    pub(super) fn parked(&self) -> Vec<(String, Ticket)> {
        std::mem::take(&mut self.lock().parked)
    }

    fn park(&self, address: String, ticket: Ticket) {
        self.lock().parked.push((address, ticket));
    }

    /// Enters a lock that is about to be asked for.
    fn enter(&self, address: &str) -> Result<(), TaskError> {
        let held = &mut self.lock().held;
        if held.iter().any(|(entered, _)| entered == address) {
            return Err(twice(address));
        }
        held.push((address.to_owned(), None));
        Ok(())
    }

    fn granted(&self, address: &str, lease: Arc<Lease>) {
        let mut asked = self.lock();
        if let Some((_, entered)) = asked.held.iter_mut().find(|(entered, _)| entered == address) {
            *entered = Some(lease);
        }
    }

    /// The handler lets go of a lease: what befell it is remembered, and what befalls it from now on is not asked for.
    fn let_go(&self, address: &str) {
        let mut asked = self.lock();
        let entered = asked.held.iter_mut().find(|(entered, _)| entered == address);
        if let Some(lease) = entered.and_then(|(_, lease)| lease.take())
            && lease.lost_reason() != Some(LeaseLost::Released)
            && let Some(text) = lost(&lease)
        {
            asked.lost.get_or_insert(text);
        }
    }

    fn leave(&self, address: &str) {
        self.lock().held.retain(|(entered, _)| entered != address);
    }
}

/// It would wait for itself, now and in every attempt.
fn twice(address: &str) -> TaskError {
    TaskError::permanent(TaskError::new(format!("this run holds {address} already, and would wait for itself")))
}
