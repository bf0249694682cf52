use std::time::{Duration, SystemTime};

use celeriac_broker::{
    Delivery, LockSpec, Outcome, Reason, Request, TaskOptions,
    message::{Tags, names},
    transport::MAX_DELAY,
};

use crate::{
    decide::Decision,
    leases::Kept,
    limits::Limits,
    registry::{Bound, Rejection},
    shared::{self, Shared},
};

/// A delivery that may run.
pub(super) struct Prepared<S> {
    pub(super) request: Request,
    pub(super) bound: Box<dyn Bound<S>>,
    pub(super) task: &'static str,
    pub(super) options: TaskOptions,
    pub(super) limits: Limits,
    pub(super) max_attempts: u32,
    /// What it must hold.
    pub(super) locks: Vec<LockSpec>,
    /// What its message and its arguments are tagged with.
    pub(super) tags: Tags,
}

/// Decodes and checks a delivery: may it run, and may it run now?
pub(super) fn prepare<S: Send + Sync + 'static>(
    shared: &Shared<S>,
    delivery: &Delivery,
    now: SystemTime,
) -> Result<Prepared<S>, Decision> {
    size(shared, delivery)?;
    let request =
        Request::decode(&delivery.message).map_err(|fault| reject(&Rejection::new(fault.reason, &fault.fault)))?;
    deliveries(shared, delivery)?;
    if request.expires.is_some_and(|expires| expires <= now) {
        return Err(Decision::Finish { outcome: Outcome::Expired, reason: Reason::Expired, note: None });
    }
    if request.deadline.is_some_and(|deadline| deadline <= now) {
        let error = "the time allowed from publishing was over before it could run".to_owned();
        return Err(Decision::Bury { outcome: Outcome::Failed, reason: Reason::Deadline, error });
    }
    if let Some(delay) = early(delivery, &request, shared.broker.clock().until(request.eta.unwrap_or(now))) {
        return Err(Decision::Defer { delay, reason: Reason::NotYet, kept: Kept::default() });
    }
    let runnable = shared.registry.get(&request.task).ok_or_else(|| {
        reject(&Rejection::new(
            Reason::UnknownTask,
            format!("no task named {} is registered in this worker", request.task),
        ))
    })?;
    let bound = runnable.bind(&request).map_err(|rejection| reject(&rejection))?;
    let options = shared.options(runnable.options(), &delivery.queue.name);
    // As in Celery, what the message says beside its arguments wins over what the task says.
    let limits = Limits {
        soft: request.soft_time_limit.or(options.soft_time_limit),
        hard: request.time_limit.or(options.time_limit),
    };
    let max_attempts = shared::policy(&options).max_attempts;
    let locks = bound.locks();
    let mut tags = request.tags.clone();
    // Known from the message already, where the publisher knows the task as this worker does.
    for (key, value) in bound.tags() {
        tags.set(key, Some(&value));
    }
    Ok(Prepared { locks, tags, request, bound, task: runnable.name(), options, limits, max_attempts })
}

fn reject(rejection: &Rejection) -> Decision {
    Decision::Bury { outcome: Outcome::Rejected, reason: rejection.reason, error: rejection.fault.clone() }
}

fn size<S>(shared: &Shared<S>, delivery: &Delivery) -> Result<(), Decision> {
    let (size, limit) = (delivery.message.body.len(), shared.broker.max_message_bytes());
    if size <= limit {
        return Ok(());
    }
    Err(reject(&Rejection::new(
        Reason::TooLarge,
        format!("the body has {size} bytes, and max_message_bytes is {limit}"),
    )))
}

fn deliveries<S>(shared: &Shared<S>, delivery: &Delivery) -> Result<(), Decision> {
    let (count, limit) = (delivery.deliveries, shared.max_deliveries);
    if count <= limit {
        return Ok(());
    }
    let error =
        format!("{} workers died or lost their connection while they held it; max_deliveries is {limit}", count - 1);
    Err(reject(&Rejection::new(Reason::Poison, error)))
}

/// How long a foreign message has to wait for its eta. Our own have waited at the broker, by the broker's clock:
/// comparing theirs with this machine's would let a skewed clock delay them twice.
fn early(delivery: &Delivery, request: &Request, wait: Duration) -> Option<Duration> {
    let foreign = request.eta.is_some() && delivery.message.headers.get(names::READY_AT).is_none();
    (foreign && !wait.is_zero()).then(|| wait.min(MAX_DELAY))
}
