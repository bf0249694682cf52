//! Leases in a SQLite file keep every claim.
#![cfg(all(feature = "conformance", feature = "sqlite"))]
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, reason = "a step that fails fails its test")]

use std::sync::Arc;

use celeriac_mutex::{SqliteStore, conformance::Fixture, store::LeaseStore};
use tempfile::TempDir;

struct Sqlite(TempDir);

impl Fixture for Sqlite {
    fn store(&self) -> Arc<dyn LeaseStore> {
        Arc::new(SqliteStore::new(self.0.path().join("locks.db")))
    }
}

celeriac_mutex::conformance!(sqlite, Sqlite(tempfile::tempdir().unwrap()));
