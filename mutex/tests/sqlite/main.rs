//! Leases in a SQLite file, over real files and real processes.
#![cfg(all(feature = "conformance", feature = "sqlite"))]
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails its test")]

mod child;
mod conformance;
mod contention;
mod failures;
mod growth;
mod processes;
mod support;
