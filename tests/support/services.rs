//! The services that all tests share.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use xtask::services::Prometheus;

/// The RabbitMQ server that all tests share: use [`unique`] names on it, and never stop it
/// ([`PrivateRabbit`](super::PrivateRabbit) is for that).
pub fn amqp_url() -> String {
    shared("CELERIAC_TEST_AMQP_URL", "a RabbitMQ server", "amqp")
}

/// The Redis server that all tests share.
pub fn redis_url() -> String {
    shared("CELERIAC_TEST_REDIS_URL", "a Redis server", "redis")
}

/// A Python that has the package `celery`.
pub fn python() -> PathBuf {
    shared("CELERIAC_TEST_PYTHON", "a Python with the package celery", "celery").into()
}

/// Prometheus' tool that checks rules and metrics. The path of a test that calls it contains `prometheus`.
pub fn promtool() -> Command {
    Prometheus::tool().unwrap_or_else(|error| {
        panic!("{error}; run it with `cargo xtask test` (all but this: `cargo xtask test --without prometheus`)")
    })
}

/// A name that no other test, and no other run on the same server, uses.
pub fn unique(name: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    format!("{name}.{}.{millis}.{number}", std::process::id())
}

/// Absent is a failure, never a skipped test: what did not run must not look as if it had passed.
fn shared(variable: &str, what: &str, part: &str) -> String {
    env::var(variable).unwrap_or_else(|_| {
        panic!(
            "this test needs {what}: run it with `cargo xtask test` (everything but this part: \
             `cargo xtask test --without {part}`), or name one in {variable}"
        )
    })
}
