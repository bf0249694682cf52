//! One process's part, over a store that fails, hangs and forgets on request.

mod cancellation;
mod handoff;
mod loss;
mod patience;

use std::{sync::Arc, time::Duration};

use celeriac_mutex::{Locks, MemoryStore};

use crate::support::faulty::{Faulty, Gates};

/// Leases in memory, behind gates.
fn behind(gates: Gates) -> Arc<Faulty> {
    Faulty::new(Arc::new(MemoryStore::new()), gates)
}

/// A process that waits 300 ms for a store that does not answer.
fn impatient(store: &Arc<Faulty>) -> Locks {
    store.process().patience(Duration::from_millis(300)).build().unwrap()
}
