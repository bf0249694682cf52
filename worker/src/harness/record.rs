use std::time::Duration;

use celeriac_broker::{Outcome, QueueName, Reason, TaskId};
use tokio::time::Instant;

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The task's name, where the message had one.
    pub task: Option<String>,
    /// The task's id.
    pub id: TaskId,
    /// The queue it came from.
    pub queue: QueueName,
    /// What became of it.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The delay before it comes back, where it does.
    pub delay: Option<Duration>,
    /// The error's text, where there was one; of a skipped task, why: what its check said, or who holds its lock.
    pub error: Option<String>,
    /// When it was settled.
    pub at: Instant,
}

/// What became of every delivery of one run, in the order in which they were settled.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// What became of each delivery.
    pub records: Vec<Record>,
    began: Instant,
}

impl Report {
    pub(super) fn new(began: Instant) -> Self {
        Self { records: Vec::new(), began }
    }

    pub(super) fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// What became of one task's deliveries.
    pub fn of(&self, id: &TaskId) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.id == *id)
    }

    /// One task's outcomes, in order.
    pub fn outcomes(&self, id: &TaskId) -> Vec<Outcome> {
        self.of(id).map(|record| record.outcome).collect()
    }

    /// The delays after one task's deliveries, where it came back.
    pub fn delays(&self, id: &TaskId) -> Vec<Duration> {
        self.of(id).filter_map(|record| record.delay).collect()
    }

    /// When one task was settled for the last time, since the harness began.
    pub fn settled_after(&self, id: &TaskId) -> Option<Duration> {
        self.of(id).last().map(|record| record.at - self.began)
    }

    /// How many deliveries had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.records.iter().filter(|record| record.outcome == outcome).count()
    }

    /// Checks one task's outcomes.
    ///
    /// # Panics
    /// With all that is known of the task, when they differ.
    #[track_caller]
    pub fn assert_outcomes(&self, id: &TaskId, expected: &[Outcome]) {
        let outcomes = self.outcomes(id);
        assert!(
            outcomes == expected,
            "task {id} had the outcomes {outcomes:?}, not {expected:?}: {:#?}",
            self.of(id).collect::<Vec<_>>()
        );
    }
}
