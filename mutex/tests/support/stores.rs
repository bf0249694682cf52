//! Every store, as a place for claims.

use std::sync::Arc;

use celeriac_mutex::{MemoryStore, conformance::Fixture, store::LeaseStore};

#[derive(Debug, Default)]
pub(crate) struct Memory(MemoryStore);

impl Fixture for Memory {
    fn store(&self) -> Arc<dyn LeaseStore> {
        Arc::new(self.0.clone())
    }
}

/// The server that all tests share.
#[cfg(feature = "redis")]
#[derive(Debug)]
pub(crate) struct Redis;

#[cfg(feature = "redis")]
impl Fixture for Redis {
    fn store(&self) -> Arc<dyn LeaseStore> {
        let url = std::env::var("CELERIAC_TEST_REDIS_URL").expect(
            "this test needs a Redis server: run it with `cargo xtask test`, or name one in CELERIAC_TEST_REDIS_URL",
        );
        // The server may be younger than the longest ttl: nobody is to wait for that here.
        let options = celeriac_mutex::RedisOptions::default().restart_grace(false);
        Arc::new(celeriac_mutex::RedisStore::from_url(&url, options).unwrap())
    }
}

/// A file of the test's own.
#[cfg(feature = "sqlite")]
#[derive(Debug)]
pub(crate) struct Sqlite(tempfile::TempDir);

#[cfg(feature = "sqlite")]
impl Default for Sqlite {
    fn default() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

#[cfg(feature = "sqlite")]
impl Fixture for Sqlite {
    fn store(&self) -> Arc<dyn LeaseStore> {
        Arc::new(celeriac_mutex::SqliteStore::new(self.0.path().join("locks.db")))
    }
}
