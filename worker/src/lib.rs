//! Runs tasks: handlers, pools, time limits, retries, shutdown.
//!
//! | module | holds |
//! |---|---|
//! | [`handler`] | [`Handler`]: the code that runs a task |
//! | [`context`] | [`Context`]: what a running task may ask |
//! | [`worker`] | [`Worker`] and its builder: pools and handlers of one process |
//! | `execution` | the life of one delivery, top to bottom |
//! | [`middleware`] | [`Middleware`]: users' code around every run |
//! | [`harness`] | `Harness`: tests of tasks without a broker |

pub mod context;
pub mod error;
pub mod handler;
pub mod harness;
pub mod middleware;
pub mod worker;

#[cfg(test)]
mod tests;

mod decide;
mod execution;
mod limits;
mod pool;
mod registry;
mod running;
mod shared;
mod signals;
mod sources;
mod tally;
mod watchdog;

/// For implementations of [`Middleware`] and of `Hooks`.
#[doc(no_inline)]
pub use async_trait::async_trait;
pub use context::{CancelReason, Context, SoftLimit};
pub use error::Error;
pub use handler::Handler;
pub use middleware::{Failure, Middleware};
pub use pool::Pool;
pub use tally::{DrainReport, Tally};
pub use worker::{Worker, WorkerBuilder};
