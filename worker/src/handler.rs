//! The code that runs a task.

use std::future::Future;

use celeriac_broker::{Task, TaskError};

use crate::{Check, Context};

/// Runs a task, given the worker's state `S`.
///
/// `#[task]` on an async fn writes this; by hand:
///
/// ```
/// # use celeriac_broker::{Arg, Task, TaskError};
/// # use celeriac_worker::{Context, Handler};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Add { x: i64, y: i64 }
/// # impl Task for Add {
/// #     const NAME: &'static str = "math.add";
/// #     const ARGS: &'static [Arg] = &[Arg::required("x"), Arg::required("y")];
/// #     type Output = i64;
/// # }
/// impl<S: Send + Sync + 'static> Handler<S> for Add {
///     async fn run(self, _ctx: Context<S>) -> Result<i64, TaskError> {
///         Ok(self.x + self.y)
///     }
/// }
/// ```
///
/// The future may be dropped at any of its awaits: when the hard limit passes, and when the worker has to stop.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no handler for a worker whose state is `{S}`",
    label = "no `Handler<{S}>` for this task",
    note = "the handler's `Context<..>` and the worker's `.state(..)` must name the same type; give the state before `.register`"
)]
pub trait Handler<S>: Task {
    /// Runs one attempt.
    ///
    /// # Errors
    /// Any error is retried by the task's policy, unless it is [permanent](TaskError::permanent).
    fn run(self, ctx: Context<S>) -> impl Future<Output = Result<Self::Output, TaskError>> + Send;

    /// Is asked before each run, when the task's locks are held and every middleware's `before` has been called: is it still to be
    /// done, and can it be done now? Default: run it.
    ///
    /// A deferral counts no attempt. The limits of the run count from before the check.
    ///
    /// # Errors
    /// As those of [`run`](Self::run).
    fn check(&self, ctx: &Context<S>) -> impl Future<Output = Result<Check, TaskError>> + Send {
        let _ = ctx;
        async { Ok(Check::Run) }
    }
}
