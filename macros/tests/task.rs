//! What `#[task]` generates does what one would write by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "task/contracts.rs"]
mod contracts;
#[path = "task/locks.rs"]
mod locks;
#[path = "task/options.rs"]
mod options;
#[path = "task/runs.rs"]
mod runs;
