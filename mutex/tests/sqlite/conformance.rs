use std::sync::Arc;

use celeriac_mutex::{SqliteStore, conformance::Fixture, store::LeaseStore};

use crate::support::Folder;

impl Fixture for Folder {
    fn store(&self) -> Arc<dyn LeaseStore> {
        Arc::new(SqliteStore::new(self.file()))
    }
}

celeriac_mutex::conformance!(claims, Folder::new());
