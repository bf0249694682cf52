//! Runs tasks: handlers, pools, time limits, retries, shutdown.
//!
//! | module | holds |
//! |---|---|
//! | [`handler`] | [`Handler`]: the code that runs a task |
//! | [`check`] | [`Check`]: what is said before a run |
//! | [`context`] | [`Context`]: what a running task may ask |
//! | [`leases`] | what a run holds, and what it asks for beside that |
//! | [`worker`] | [`Worker`] and its builder: pools and handlers of one process |
//! | `execution` | the life of one delivery, top to bottom |
//! | `metrics` | metrics for Prometheus and health for probes, by the feature of that name |
//! | [`middleware`] | [`Middleware`]: users' code around every run |
//! | [`harness`] | `Harness`: tests of tasks without a broker |

pub mod check;
pub mod context;
pub mod error;
pub mod handler;
pub mod harness;
pub mod leases;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics/off.rs"]
mod metrics;
pub mod middleware;
pub mod worker;

#[cfg(test)]
mod tests;

mod decide;
mod execution;
mod identity;
mod limits;
mod pool;
mod registry;
mod running;
mod shared;
mod signals;
mod sources;
mod tally;
mod watchdog;

/// Locks, leases and their keys.
#[doc(no_inline)]
pub use celeriac_mutex as mutex;

/// For implementations of [`Middleware`] and of `Hooks`.
#[doc(no_inline)]
pub use async_trait::async_trait;
pub use check::{Check, IntoCheck};
pub use context::{CancelReason, Context, SoftLimit};
pub use error::Error;
pub use handler::Handler;
pub use leases::{TaskLease, TaskMutex, TaskSemaphore};
pub use middleware::{Failure, Middleware};
pub use pool::Pool;
pub use tally::{DrainReport, Tally};
pub use worker::{Worker, WorkerBuilder};
