//! Priorities on quorum queues: one queue per priority.

use std::borrow::Cow;

use super::topology::has_companions;
use crate::{Queue, QueueKind, QueueName, transport::MAX_PRIORITY};

/// How many queues keep one queue's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Levels {
    /// The queue itself.
    One,
    /// The queue itself for priority 0, and `<queue>.p1` to `<queue>.p9`.
    PerPriority,
}

impl Levels {
    /// Classic queues have an argument for priorities. Quorum queues have none before RabbitMQ 4.0, and from then on two that are
    /// served in the ratio of two to one. Whatever the version can do, the queues are the same: what lies in them when a
    /// broker is upgraded is consumed afterwards.
    pub(super) fn of(queue: &Queue) -> Self {
        let asked = queue.priorities && queue.kind == QueueKind::Quorum && !queue.shared_with_celery;
        if asked && has_companions(&queue.name) { Self::PerPriority } else { Self::One }
    }

    /// The queue for a priority.
    pub(super) fn name(self, queue: &QueueName, priority: u8) -> Cow<'_, str> {
        match (self, priority) {
            (Self::One, _) | (Self::PerPriority, 0) => Cow::Borrowed(queue.as_str()),
            (Self::PerPriority, priority) => Cow::Owned(format!("{queue}.p{}", priority.min(MAX_PRIORITY))),
        }
    }

    /// All of them, the highest priority first.
    pub(super) fn names(self, queue: &QueueName) -> impl Iterator<Item = Cow<'_, str>> {
        let highest = if self == Self::One { 0 } else { MAX_PRIORITY };
        (0..=highest).rev().map(move |priority| self.name(queue, priority))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbound_priority_beyond_ours_counts_as_the_highest() {
        let queue = QueueName::new("q").unwrap();
        assert_eq!(Levels::PerPriority.name(&queue, 255), "q.p9");
        assert_eq!(Levels::PerPriority.name(&queue, 0), "q");
        assert_eq!(Levels::One.name(&queue, 255), "q");
    }

    #[test]
    fn the_highest_priority_is_asked_first() {
        let queue = QueueName::new("q").unwrap();
        let names: Vec<_> = Levels::PerPriority.names(&queue).collect();
        assert_eq!((names.len(), names.first().unwrap().as_ref(), names.last().unwrap().as_ref()), (10, "q.p9", "q"));
    }
}
