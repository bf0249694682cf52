//! The leases of every store: their claims, their faults, their costs, and the model of their rules.
#![cfg(feature = "conformance")]
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails its test")]
#![allow(clippy::print_stdout, reason = "counts are results")]

#[cfg(all(feature = "redis", feature = "sqlite"))]
mod chaos;
mod claims;
mod model;
#[cfg(feature = "redis")]
mod redis_costs;
mod regressions;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
mod support;
