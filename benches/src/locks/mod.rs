//! Leases against raw commands on one held connection, and against other ways to wait.

mod crash;
mod defer;
mod handoff;
mod raw;
mod renew;
mod sqlite;
mod uncontended;

use celeriac::mutex::Locks;

pub(crate) use self::{
    crash::run as crash, defer::run as defer, handoff::run as handoff, renew::run as renew, sqlite::run as sqlite,
    uncontended::run as uncontended,
};
use crate::Failure;

/// The address of Redis.
fn url() -> Result<String, Failure> {
    std::env::var("CELERIAC_TEST_REDIS_URL").map_err(|_| {
        "CELERIAC_TEST_REDIS_URL is not set; run `cargo xtask bench`, which starts Redis, or set it to redis://host:port/db".into()
    })
}

fn locks() -> Result<Locks, Failure> {
    Ok(Locks::from_url(&url()?)?)
}

/// A name that no other block uses.
fn name(stem: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("bench-{stem}-{}", now.as_nanos())
}
