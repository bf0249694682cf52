//! Users' code around every run.

use std::time::Duration;

use async_trait::async_trait;
use celeriac_broker::{Outcome, Reason, TaskError};

use crate::Context;

/// A failed attempt.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// Why it failed.
    pub reason: Reason,
    /// The failure as text.
    pub error: String,
    /// The delay before the next attempt; `None` when there is none.
    pub retry_in: Option<Duration>,
}

/// Code that runs around every task of a worker, in the order of registration; written with [`async_trait`](crate::async_trait).
///
/// The order of one attempt is: `before`, the handler, after a failure `on_failure` and then `on_retry` or `on_exhausted`,
/// the settlement, `after`.
///
/// The hooks after a failure run before the message is settled: what they publish is with the broker before the
/// message is gone, and after a crash between the two they run again.
#[async_trait]
pub trait Middleware<S: Send + Sync + 'static>: Send + Sync + 'static {
    /// Before the handler. An error is a failed attempt, and the handler does not run.
    async fn before(&self, _ctx: &Context<S>) -> Result<(), TaskError> {
        Ok(())
    }

    /// After the run was settled, with what became of it.
    async fn after(&self, _ctx: &Context<S>, _outcome: Outcome, _elapsed: Duration) {}

    /// After a failed attempt that will be retried.
    async fn on_retry(&self, _ctx: &Context<S>, _failure: &Failure) {}

    /// After every failed attempt.
    async fn on_failure(&self, _ctx: &Context<S>, _failure: &Failure) {}

    /// When no attempt is left, or none would help, before the message becomes a dead letter.
    async fn on_exhausted(&self, _ctx: &Context<S>, _failure: &Failure) {}
}
