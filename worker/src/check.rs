//! What is said before a run.

use std::time::Duration;

use celeriac_broker::TaskError;

/// What a task's check says before a run, when its locks are held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Check {
    /// Run it.
    #[default]
    Run,
    /// Not now: the same attempt again after this delay, its locks released meanwhile.
    Defer(Duration),
    /// There is nothing left to do, for this reason: the outcome is `skipped`.
    Skip(String),
}

impl Check {
    /// There is nothing left to do, for this reason.
    pub fn skip(why: impl Into<String>) -> Self {
        Self::Skip(why.into())
    }
}

/// What the function in `#[task(check = ..)]` returns: a [`Check`], or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a check returns",
    note = "a check returns `Check`, or `Result<Check, E>` where `E` is `TaskError` or any error"
)]
pub trait IntoCheck {
    /// What a handler's `check` returns.
    ///
    /// # Errors
    /// The check's own.
    fn into_check(self) -> Result<Check, TaskError>;
}

impl IntoCheck for Check {
    fn into_check(self) -> Result<Check, TaskError> {
        Ok(self)
    }
}

impl<E: Into<TaskError>> IntoCheck for Result<Check, E> {
    fn into_check(self) -> Result<Check, TaskError> {
        self.map_err(Into::into)
    }
}
