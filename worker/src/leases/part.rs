//! Locks for a part of a run, which its handler asks for.

mod guard;
mod handles;

use std::sync::{Mutex, MutexGuard, PoisonError};

use celeriac_broker::TaskError;
use celeriac_mutex::Ticket;

pub use self::{
    guard::TaskLease,
    handles::{TaskMutex, TaskSemaphore},
};

/// What a handler has asked for.
#[derive(Debug, Default)]
pub(super) struct Parts(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    /// What it holds, by address, with the token; none while it is being asked for.
    held: Vec<(String, Option<u64>)>,
    /// The places in line of what was busy.
    parked: Vec<(String, Ticket)>,
}

impl Parts {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fences(&self) -> Vec<(String, u64)> {
        let held = &self.lock().held;
        held.iter().filter_map(|(address, token)| Some((address.clone(), (*token)?))).collect()
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

    fn granted(&self, address: &str, token: u64) {
        let mut asked = self.lock();
        if let Some((_, entered)) = asked.held.iter_mut().find(|(entered, _)| entered == address) {
            *entered = Some(token);
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
