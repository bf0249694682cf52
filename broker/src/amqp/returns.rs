//! Whose message came back as unroutable.
//!
//! The client hands a returned message to whichever publish is confirmed next on the channel, and the broker confirms in
//! whichever order suits it: with many in flight, the one that learns of a return is often not the one that was returned. So
//! a returned message is recognised by what it says of itself, and the publish it belongs to is told.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
};

use lapin::{BasicProperties, types::ShortString};

/// The publishes in flight on one channel.
#[derive(Debug, Default)]
pub(super) struct Returns(Mutex<HashMap<Mark, Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    publishes: u32,
    returned: u32,
}

/// What tells one publish from another: where it goes, and the task's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn new(routing_key: &str, properties: &BasicProperties) -> Self {
        let mut hasher = DefaultHasher::new();
        routing_key.hash(&mut hasher);
        properties.correlation_id().as_ref().map(ShortString::as_str).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Returns {
    fn lock(&self) -> MutexGuard<'_, HashMap<Mark, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a publish, for as long as the guard lives.
    pub(super) fn begin(&self, mark: Mark) -> InFlight<'_> {
        self.lock().entry(mark).or_default().publishes += 1;
        InFlight { returns: self, mark }
    }

    /// Tells the publish that `mark` belongs to; `false` where it is over.
    pub(super) fn tell(&self, mark: Mark) -> bool {
        self.lock().get_mut(&mark).map(|waiting| waiting.returned += 1).is_some()
    }
}

/// A publish that waits for its confirmation.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    returns: &'a Returns,
    mark: Mark,
}

impl InFlight<'_> {
    /// Whether it was told of its return.
    pub(super) fn was_returned(&self) -> bool {
        self.returns.lock().get_mut(&self.mark).is_some_and(|waiting| {
            let returned = waiting.returned > 0;
            waiting.returned -= u32::from(returned);
            returned
        })
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut waiting = self.returns.lock();
        if let Some(entry) = waiting.get_mut(&self.mark) {
            entry.publishes -= 1;
            if entry.publishes == 0 {
                waiting.remove(&self.mark);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(key: &str, id: &str) -> Mark {
        Mark::new(key, &BasicProperties::default().with_correlation_id(id.into()))
    }

    #[test]
    fn a_return_is_told_to_the_publish_it_belongs_to_and_to_no_other() {
        let returns = Returns::default();
        let (mine, other) = (returns.begin(mark("q", "1")), returns.begin(mark("q", "2")));
        assert!(returns.tell(mark("q", "2")));
        assert!(!mine.was_returned());
        assert!(other.was_returned());
    }

    #[test]
    fn a_return_that_comes_when_its_publish_is_over_finds_nobody() {
        let returns = Returns::default();
        drop(returns.begin(mark("q", "1")));
        assert!(!returns.tell(mark("q", "1")));
        assert!(returns.lock().is_empty());
    }
}
