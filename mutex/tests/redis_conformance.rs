//! Leases in Redis keep every claim.
#![cfg(all(feature = "conformance", feature = "redis"))]
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails its test")]

use std::sync::Arc;

use celeriac_mutex::{RedisOptions, RedisStore, conformance::Fixture, store::LeaseStore};

struct Redis;

impl Fixture for Redis {
    fn store(&self) -> Arc<dyn LeaseStore> {
        let url = std::env::var("CELERIAC_TEST_REDIS_URL").expect(
            "this test needs a Redis server: run it with `cargo xtask test`, or name one in CELERIAC_TEST_REDIS_URL",
        );
        // The server may be younger than the longest ttl: nobody is to wait for that here.
        Arc::new(RedisStore::from_url(&url, RedisOptions::default().restart_grace(false)).unwrap())
    }
}

celeriac_mutex::conformance!(redis, Redis);
