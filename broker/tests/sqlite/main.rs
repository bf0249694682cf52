//! The SQLite transport over real files and real processes.
#![cfg(feature = "sqlite")]
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails its test")]

mod child;
mod failures;
mod fairness;
mod file;
mod processes;
mod support;
