//! What is to happen after a run: a pure function of how it ended, the policy, the attempt, the time and chance.

use std::time::{Duration, SystemTime};

use celeriac_broker::{Jitter, Outcome, Reason, RetryPolicy, TaskError, task::Disposition, transport::MAX_DELAY};
use rand::Rng;

use crate::{CancelReason, leases::Kept, limits::Ended, registry::Ran};

/// What an attempt's future depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// From 1.
    pub(crate) number: u32,
    pub(crate) policy: RetryPolicy,
    /// The delay before this attempt.
    pub(crate) previous_delay: Option<Duration>,
    /// When the task's total time is over.
    pub(crate) deadline: Option<SystemTime>,
}

/// What is to happen to a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing more is to be done.
    Finish { outcome: Outcome, reason: Reason, note: Option<String> },
    /// Another attempt after `delay`.
    Retry { delay: Duration, reason: Reason, error: String },
    /// The same attempt after `delay`, its message keeping this.
    Defer { delay: Duration, reason: Reason, kept: Kept },
    /// The same attempt at once, this delivery not counted.
    GiveBack,
    /// A dead letter.
    Bury { outcome: Outcome, reason: Reason, error: String },
}

/// How long a task stays away whose lease an operator has revoked: somebody else wants it.
const REVOKED: RetryPolicy = RetryPolicy::checked(2, Duration::from_secs(5), Duration::from_secs(5), Jitter::Equal);

pub(crate) fn decide(ended: Ended, attempt: &Attempt, now: SystemTime, rng: &mut impl Rng) -> Decision {
    match ended {
        Ended::Returned(Ok(Ran::Done), _) => {
            Decision::Finish { outcome: Outcome::Succeeded, reason: Reason::Done, note: None }
        }
        Ended::Returned(Ok(Ran::Skipped(why)), _) => {
            Decision::Finish { outcome: Outcome::Skipped, reason: Reason::Check, note: Some(why) }
        }
        Ended::Returned(Ok(Ran::Deferred(delay)), _) => defer(delay, Reason::Check),
        Ended::Aborted | Ended::Returned(Err(_), Some(CancelReason::Shutdown)) => Decision::GiveBack,
        Ended::Returned(Err(error), Some(CancelReason::Revoked)) if error.disposition() != Disposition::Permanent => {
            defer(REVOKED.delay(1, None, rng).unwrap_or(REVOKED.backoff.cap), Reason::LeaseRevoked)
        }
        Ended::Returned(Err(error), Some(CancelReason::SoftLimit)) => {
            failed(Reason::SoftLimit, &error, attempt, now, rng)
        }
        Ended::Returned(Err(error), None | Some(CancelReason::Revoked | CancelReason::Stopped)) => {
            failed(Reason::Error, &error, attempt, now, rng)
        }
        Ended::LeaseLost(text) => failed(Reason::LeaseLost, &TaskError::new(text), attempt, now, rng),
        Ended::Busy(text) => failed(Reason::Busy, &TaskError::new(text), attempt, now, rng),
        Ended::Panicked(text) => failed(Reason::Panic, &TaskError::new(format!("panicked: {text}")), attempt, now, rng),
        Ended::HardLimit(limit) => failed(
            Reason::HardLimit,
            &TaskError::new(format!("stopped at its hard limit of {limit:?}")),
            attempt,
            now,
            rng,
        ),
        Ended::Stuck(limit) => {
            let error = format!(
                "still holds its thread past its hard limit of {limit:?}; blocking work belongs in spawn_blocking"
            );
            failed(Reason::Stuck, &TaskError::new(error), attempt, now, rng)
        }
    }
}

fn defer(delay: Duration, reason: Reason) -> Decision {
    Decision::Defer { delay: delay.min(MAX_DELAY), reason, kept: Kept::default() }
}

fn failed(reason: Reason, error: &TaskError, attempt: &Attempt, now: SystemTime, rng: &mut impl Rng) -> Decision {
    let bury = |reason, error| Decision::Bury { outcome: Outcome::Failed, reason, error };
    let by_policy = attempt.policy.delay(attempt.number, attempt.previous_delay, rng);
    let delay = match error.disposition() {
        Disposition::Permanent => return bury(Reason::Permanent, error.to_string()),
        Disposition::Defer(delay) => return defer(delay, Reason::Postponed),
        Disposition::RetryAfter(delay) => by_policy.map(|_| delay.min(MAX_DELAY)),
        _ => by_policy,
    };
    match delay {
        None => bury(reason, error.to_string()),
        Some(delay) if attempt.deadline.is_some_and(|deadline| now + delay >= deadline) => {
            bury(Reason::Deadline, format!("no time is left for another attempt; the last one: {error}"))
        }
        Some(delay) => Decision::Retry { delay, reason, error: error.to_string() },
    }
}
