//! The copies that stand in a message's stead: the next attempt, the same attempt later, the dead letter, the replay.

use std::time::{Duration, SystemTime};

use super::{HeaderValue, Message, bounds, names, request::iso8601};
use crate::{QueueName, Reason, transport::MAX_DELAY};

/// The longest error text kept in a header, in bytes.
const MAX_ERROR_LEN: usize = 4096;

impl Message {
    /// The next attempt, due after `delay`, at most [`MAX_DELAY`]. As Celery does, it is its own parent.
    pub fn next_attempt(&self, delay: Duration, now: SystemTime) -> Self {
        let delay = delay.min(MAX_DELAY);
        let mut copy = self.clean_copy();
        let retries = self.headers.int(names::RETRIES).unwrap_or(0).saturating_add(1);
        copy.headers.set(names::RETRIES, retries);
        copy.headers.set(names::PARENT_ID, self.id().as_str().to_owned());
        copy.headers.set(names::ETA, iso8601(now + delay));
        copy.headers.set_duration(names::PREVIOUS_DELAY, delay);
        copy.headers.set_instant(names::READY_AT, now + delay);
        copy.headers.remove(names::DELIVERIES);
        copy.headers.remove(names::PLACES);
        copy.headers.remove(names::TURNS);
        bounds::fit(&mut copy.headers);
        copy
    }

    /// The same attempt, due after `delay`, at most [`MAX_DELAY`]; counted as a deferral, not as an attempt.
    pub fn deferred(&self, delay: Duration, now: SystemTime, deliveries: u32) -> Self {
        let mut copy = self.given_back(deliveries);
        let deferrals = self.headers.int(names::DEFERRALS).unwrap_or(0).saturating_add(1);
        copy.headers.set(names::DEFERRALS, deferrals);
        copy.headers.set_instant(names::READY_AT, now + delay.min(MAX_DELAY));
        bounds::fit(&mut copy.headers);
        copy
    }

    /// The same attempt at once, this delivery (the `deliveries`th) not counted.
    pub fn given_back(&self, deliveries: u32) -> Self {
        let mut copy = self.clean_copy();
        copy.headers.set(names::DELIVERIES, deliveries.saturating_sub(1));
        bounds::fit(&mut copy.headers);
        copy
    }

    /// The dead letter: the message as it is, with the reason and where it came from.
    pub fn dead(&self, reason: Reason, error: &str, queue: &QueueName, now: SystemTime) -> Self {
        let mut copy = self.clean_copy();
        copy.headers.set(names::DEAD_REASON, reason.as_str());
        copy.headers.set(names::DEAD_ERROR, bounds::truncated(error, MAX_ERROR_LEN).to_owned());
        copy.headers.set_instant(names::DEAD_AT, now);
        copy.headers.set(names::DEAD_QUEUE, queue.as_str().to_owned());
        bounds::fit(&mut copy.headers);
        copy
    }

    /// A dead letter as it was before it died, with all its attempts again.
    pub fn revived(&self, now: SystemTime) -> Self {
        let mut copy = self.clean_copy();
        for name in [
            names::DEAD_REASON,
            names::DEAD_ERROR,
            names::DEAD_AT,
            names::DEAD_QUEUE,
            names::DELIVERIES,
            names::DEFERRALS,
            names::PLACES,
            names::TURNS,
            names::PREVIOUS_DELAY,
            names::DEADLINE,
        ] {
            copy.headers.remove(name);
        }
        copy.headers.set(names::ETA, HeaderValue::Null);
        copy.headers.set(names::EXPIRES, HeaderValue::Null);
        copy.headers.set(names::RETRIES, 0_i64);
        copy.headers.set_instant(names::READY_AT, now);
        copy
    }

    /// A copy without what brokers wrote on the original's way.
    fn clean_copy(&self) -> Self {
        let mut copy = self.clone();
        copy.properties.expiration = None;
        copy.headers.retain(|name| !is_transport_header(name));
        copy
    }
}

/// What RabbitMQ adds on the way. A copy that kept `x-death` could be dropped as a cycle.
fn is_transport_header(name: &str) -> bool {
    name == "x-death"
        || name == "x-delivery-count"
        || name == "x-acquired-count"
        || name.starts_with("x-first-death-")
        || name.starts_with("x-last-death-")
}
