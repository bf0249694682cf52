use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{codec, command::Entry};
use crate::{Message, message::names, transport::Destination};

impl Entry {
    pub(super) fn new(to: &Destination, message: Message) -> Self {
        let deaths = message.headers.int(names::DELIVERIES).and_then(|deaths| u32::try_from(deaths).ok()).unwrap_or(0);
        Self {
            queue: to.queue.name.clone(),
            due: if to.delay.is_zero() { 0 } else { due(SystemTime::now(), to.delay) },
            priority: message.priority(),
            deaths,
            head: codec::encode(&message),
            body: message.body,
        }
    }
}

/// The first microsecond that is not before `now + delay`.
fn due(now: SystemTime, delay: Duration) -> i64 {
    let due = (now + delay).duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(due.as_nanos().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// The last microsecond that has passed.
pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// A span in microseconds.
pub(super) fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_rounded_up() {
        let now = UNIX_EPOCH + Duration::from_nanos(1_000_000_001);
        assert_eq!(due(now, Duration::from_nanos(1)), 1_000_001);
        assert_eq!(due(now, Duration::from_nanos(999)), 1_000_001);
        assert_eq!(due(now, Duration::from_nanos(1001)), 1_000_002);
    }
}
