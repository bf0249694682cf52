//! Leases in a SQLite file, over real files and real processes.

mod child;
mod contention;
mod failures;
mod growth;
mod processes;
mod support;
