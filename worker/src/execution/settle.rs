use std::time::Duration;

use celeriac_broker::{
    Delivery, Error, Jitter, Message, Outcome, Queue, Reason, RetryPolicy,
    message::{TraceContext, names},
    transport::{Destination, MAX_DELAY},
};

use tokio::time::Instant;
use tracing::field;

use super::span;
use crate::{decide::Decision, harness::Record, shared::Shared};

/// What is left to settle.
pub(crate) enum Original {
    /// A delivery that the broker still counts as unsettled.
    Held(Delivery),
    /// A message that was acknowledged before its run.
    Acked(Box<Message>, Queue),
}

/// How long to wait before settling is tried again.
const AGAIN: RetryPolicy =
    RetryPolicy::checked(u32::MAX, Duration::from_millis(100), Duration::from_secs(5), Jitter::Equal);

/// Acknowledges before the run. `None`: the delivery was lost, so it must not run here.
pub(super) async fn ack_early<S>(shared: &Shared<S>, delivery: Delivery) -> Option<Original> {
    let (message, queue) = (delivery.message.clone(), delivery.queue.clone());
    match delivery.ack().await {
        Ok(()) => Some(Original::Acked(Box::new(message), queue)),
        Err(error) => {
            lost(shared, &error);
            None
        }
    }
}

/// Does to the delivery what was decided, and says so once.
pub(crate) async fn settle<S>(shared: &Shared<S>, original: Original, decision: Decision) {
    let outcome = decision.outcome();
    span::ended(outcome);
    let settling = shared.meter.settling(&original, outcome, decision.reason());
    // What says so is copied from the message only where somebody listens.
    let record = is_reported(shared, outcome).then(|| record(&original, &decision));
    let settled = match (original, &decision) {
        (Original::Held(delivery), Decision::Finish { .. }) => delivery.ack().await,
        (Original::Acked(..), Decision::Finish { .. }) => Ok(()),
        // Boxed: a run that ends well has no room for it.
        (original, _) => match replacement(shared, &original, &decision) {
            Ok((to, copy)) => Box::pin(put_in_stead(shared, original, to, copy)).await,
            Err(error) => {
                tracing::error!(%error, "no dead letter queue can be named; the message stays where it is");
                return;
            }
        },
    };
    match settled {
        Ok(()) => {
            shared.counters.count(outcome);
            settling.done();
            if let Some(mut record) = record {
                record.error = match decision {
                    Decision::Retry { error, .. } | Decision::Bury { error, .. } => Some(error),
                    Decision::Finish { note, .. } => note,
                    _ => None,
                };
                report(shared, record);
            }
        }
        Err(error) => lost(shared, &error),
    }
}

/// What is to be in the original's stead, and where.
fn replacement<S>(
    shared: &Shared<S>,
    original: &Original,
    decision: &Decision,
) -> Result<(Destination, Message), Error> {
    let now = shared.broker.clock().now();
    let (message, queue, deliveries) = original.parts();
    let (to, mut copy) = match decision {
        Decision::Retry { delay, .. } => (Destination::after(queue.clone(), *delay), message.next_attempt(*delay, now)),
        Decision::Defer { delay, reason, kept } => {
            let mut copy = message.deferred(*delay, now, deliveries);
            kept.write(&mut copy.headers);
            if *reason == Reason::NotYet && *delay == MAX_DELAY {
                // Its eta is farther away than a broker can hold: it waits again when it comes back.
                copy.headers.remove(names::READY_AT);
            }
            (Destination::after(queue.clone(), *delay), copy)
        }
        Decision::Finish { .. } | Decision::GiveBack => {
            (Destination::now(queue.clone()), message.given_back(deliveries))
        }
        Decision::Bury { reason, error, .. } => {
            let dead = dead_queue(shared, queue)?;
            (Destination::now(dead), message.dead(*reason, error, &queue.name, now))
        }
    };
    if copy.headers.get(names::TRACEPARENT).is_none()
        && let Some(trace) = TraceContext::active()
    {
        // Nobody traced it before: what comes of this run is in its trace.
        trace.write(&mut copy.headers);
    }
    Ok((to, copy))
}

async fn put_in_stead<S>(shared: &Shared<S>, original: Original, to: Destination, copy: Message) -> Result<(), Error> {
    match original {
        Original::Held(delivery) => replace(shared, delivery, &to, &copy).await,
        Original::Acked(..) => publish(shared, to, copy).await,
    }
}

fn dead_queue<S>(shared: &Shared<S>, queue: &Queue) -> Result<Queue, Error> {
    shared.broker.queue(queue.name.dead()?.as_str())
}

/// Tries until the copy is in the original's stead, or the original is no longer ours.
async fn replace<S>(shared: &Shared<S>, mut delivery: Delivery, to: &Destination, copy: &Message) -> Result<(), Error> {
    for attempt in 1.. {
        match delivery.replace(to, copy).await {
            Ok(()) => return Ok(()),
            Err(unsettled) => match unsettled.delivery {
                None => return Err(unsettled.error),
                Some(held) => {
                    shared.meter.repeated(&unsettled.error);
                    tracing::warn!(
                        error = &unsettled.error as &dyn std::error::Error,
                        "a message could not be settled; trying again"
                    );
                    delivery = held;
                    again(attempt).await;
                }
            },
        }
    }
    Ok(())
}

async fn publish<S>(shared: &Shared<S>, to: Destination, copy: Message) -> Result<(), Error> {
    for attempt in 1.. {
        match shared.broker.transport().publish(to.clone(), copy.clone()).await {
            Ok(()) => return Ok(()),
            Err(Error::Closed) => return Err(Error::Closed),
            Err(error) => {
                shared.meter.repeated(&error);
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a message could not be published; trying again"
                );
                again(attempt).await;
            }
        }
    }
    Ok(())
}

async fn again(attempt: u32) {
    let delay = AGAIN.delay(attempt, None, &mut rand::rng());
    tokio::time::sleep(delay.unwrap_or(AGAIN.backoff.cap)).await;
}

fn lost<S>(shared: &Shared<S>, error: &Error) {
    shared.counters.count_lost();
    shared.meter.ack_lost();
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "a run is not reported as done: its delivery was lost, and runs again"
    );
}

/// Whether anybody wants to know what became of a delivery.
fn is_reported<S>(shared: &Shared<S>, outcome: Outcome) -> bool {
    let logged = match outcome {
        Outcome::Failed | Outcome::Rejected => tracing::enabled!(tracing::Level::ERROR),
        _ => tracing::enabled!(tracing::Level::INFO),
    };
    logged || shared.records.is_some()
}

fn record(original: &Original, decision: &Decision) -> Record {
    let (message, queue, _) = original.parts();
    Record {
        task: message.task().map(str::to_owned),
        id: message.id(),
        queue: queue.name.clone(),
        outcome: decision.outcome(),
        reason: decision.reason(),
        delay: decision.delay(),
        error: None,
        at: Instant::now(),
    }
}

/// Says once what became of a delivery.
fn report<S>(shared: &Shared<S>, record: Record) {
    let Record { task, id, queue, outcome, reason, delay, error, .. } = &record;
    let (task, error) = (task.as_deref(), error.as_deref());
    let (outcome, reason) = (outcome.as_str(), reason.as_str());
    match record.outcome {
        Outcome::Failed | Outcome::Rejected => tracing::error!(task, task_id = %id, %queue, outcome, reason, error),
        Outcome::Skipped => tracing::info!(task, task_id = %id, %queue, outcome, reason, note = error),
        _ => tracing::info!(task, task_id = %id, %queue, outcome, reason, delay = delay.map(field::debug), error),
    }
    if let Some(records) = &shared.records {
        // The test kit may have gone; then nobody asks.
        let _ = records.send(record);
    }
}

impl Original {
    pub(crate) fn parts(&self) -> (&Message, &Queue, u32) {
        match self {
            Self::Held(delivery) => (&delivery.message, &delivery.queue, delivery.deliveries),
            Self::Acked(message, queue) => (message, queue, 1),
        }
    }
}

impl Decision {
    /// The member of the closed set.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Finish { outcome, .. } | Self::Bury { outcome, .. } => *outcome,
            Self::Retry { .. } => Outcome::Retried,
            Self::Defer { .. } | Self::GiveBack => Outcome::Deferred,
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Finish { reason, .. }
            | Self::Bury { reason, .. }
            | Self::Retry { reason, .. }
            | Self::Defer { reason, .. } => *reason,
            Self::GiveBack => Reason::Shutdown,
        }
    }

    fn delay(&self) -> Option<Duration> {
        match self {
            Self::Retry { delay, .. } | Self::Defer { delay, .. } => Some(*delay),
            _ => None,
        }
    }
}
