use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::store::Store;
use crate::Error;

/// What one transport sees of a store that several may share.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) store: Arc<Store>,
    pub(super) id: u64,
    closed: AtomicBool,
}

impl Process {
    pub(super) fn new(store: Arc<Store>) -> Self {
        let id = store.next_process();
        Self { store, id, closed: AtomicBool::new(false) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    /// Ends it; what it holds comes back, counted.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.store.bury(self.id);
    }
}
