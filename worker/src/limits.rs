//! A run within its limits.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    time::Duration,
};

use celeriac_broker::{TaskError, task::Disposition};
use futures_util::FutureExt;
use tokio::{sync::watch, time::Sleep};

use crate::{
    CancelReason,
    leases::{Hold, Loss},
    registry::{Ran, RunFuture},
    shared::Stop,
};

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    pub(crate) soft: Option<Duration>,
    pub(crate) hard: Option<Duration>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The handler returned, after this reason to stop was given, if any.
    Returned(Result<Ran, TaskError>, Option<CancelReason>),
    /// The handler panicked with this message.
    Panicked(String),
    /// The hard limit passed, and the future was dropped.
    HardLimit(Duration),
    /// The hard limit passed, and the handler still holds its thread.
    Stuck(Duration),
    /// The worker had to stop, and the future was dropped.
    Aborted,
    /// A lease was lost. A future that still ran was dropped; one that had returned counts as if it had not.
    LeaseLost(String),
    /// A lock was busy, and the task says that this fails the attempt. Nothing ran.
    Busy(String),
}

/// Runs `run` to its end, its hard limit, the loss of a lease, or the worker's end; asks it to stop at its soft limit.
///
/// The run comes first in every round, so a handler that is done when its limit passes is done. Only a lost lease comes before it:
/// what was done without it is not reported as done.
pub(crate) async fn within(
    run: RunFuture,
    limits: Limits,
    cancel: &watch::Sender<Option<CancelReason>>,
    stop: &Stop,
    hold: &Hold,
) -> Ended {
    let mut run = pin!(AssertUnwindSafe(run).catch_unwind());
    let mut soft = pin!(limits.soft.map(tokio::time::sleep));
    let mut hard = pin!(limits.hard.map(tokio::time::sleep));
    let mut revoked = false;
    // What the run leaves behind has to hear of it.
    let stopped = |ended| {
        cancel.send_replace(Some(CancelReason::Stopped));
        ended
    };
    loop {
        let asked = *cancel.borrow();
        tokio::select! {
            biased;
            loss = hold.loss(revoked), if hold.may_lose() => match loss {
                Loss::Lost(text) => return stopped(Ended::LeaseLost(text)),
                Loss::Revoked => {
                    revoked = true;
                    if asked.is_none() {
                        cancel.send_replace(Some(CancelReason::Revoked));
                    }
                }
            },
            returned = &mut run => return match returned {
                Ok(result) => Ended::Returned(result, asked),
                Err(panic) => Ended::Panicked(panic_message(panic.as_ref())),
            },
            () = elapsed(hard.as_mut()) => return stopped(Ended::HardLimit(limits.hard.unwrap_or_default())),
            () = stop.abort.cancelled() => return stopped(Ended::Aborted),
            () = elapsed(soft.as_mut()), if asked.is_none() => {
                cancel.send_replace(Some(CancelReason::SoftLimit));
            }
            () = stop.last_call.cancelled(), if asked != Some(CancelReason::Shutdown) => {
                cancel.send_replace(Some(CancelReason::Shutdown));
            }
        }
    }
}

/// How a run ended that may have lost a lease without hearing of it, because it did not await or its machine slept.
pub(crate) fn checked(ended: Ended, hold: &Hold) -> Ended {
    let counts = match &ended {
        Ended::Returned(Err(error), _) => error.disposition() != Disposition::Permanent,
        Ended::Returned(Ok(_), _) => true,
        _ => false,
    };
    match hold.lost() {
        Some(text) if counts => Ended::LeaseLost(text),
        _ => ended,
    }
}

async fn elapsed(sleep: Pin<&mut Option<Sleep>>) {
    match sleep.as_pin_mut() {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}

/// A panic's payload is a text, unless `panic_any` was called with something else.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_owned(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without a message".to_owned()),
    }
}
