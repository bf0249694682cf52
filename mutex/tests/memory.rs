//! Leases in memory keep every claim.
#![cfg(feature = "conformance")]
#![allow(missing_docs, reason = "tests are not documented")]

use std::sync::Arc;

use celeriac_mutex::{MemoryStore, conformance::Fixture, store::LeaseStore};

struct Memory(MemoryStore);

impl Fixture for Memory {
    fn store(&self) -> Arc<dyn LeaseStore> {
        Arc::new(self.0.clone())
    }
}

celeriac_mutex::conformance!(memory, Memory(MemoryStore::new()));
