use std::{
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use celeriac_broker::{Delivery, Outcome, PublishFault, QueueName, Reason, message::names};
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, core::Collector, proto::MetricFamily};

use super::defs;

/// The task under which every name is counted that nobody has registered.
pub(super) const UNREGISTERED: &str = "unregistered";

/// What can become of a task of the worker's.
const POSSIBLE: &[(Outcome, &[Reason])] = &[
    (Outcome::Succeeded, &[Reason::Done]),
    (
        Outcome::Retried,
        &[
            Reason::Error,
            Reason::Panic,
            Reason::SoftLimit,
            Reason::HardLimit,
            Reason::Stuck,
            Reason::LeaseLost,
            Reason::Busy,
        ],
    ),
    (Outcome::Deferred, DEFERRED),
    (
        Outcome::Failed,
        &[
            Reason::Error,
            Reason::Permanent,
            Reason::Panic,
            Reason::SoftLimit,
            Reason::HardLimit,
            Reason::Stuck,
            Reason::LeaseLost,
            Reason::Busy,
            Reason::Deadline,
        ],
    ),
    (
        Outcome::Rejected,
        &[Reason::NoLocks, Reason::Poison, Reason::Undecodable, Reason::BadArguments, Reason::TooLarge],
    ),
    (Outcome::Expired, &[Reason::Expired]),
    (Outcome::Skipped, &[Reason::Check, Reason::Busy]),
];

const DEFERRED: &[Reason] = &[
    Reason::Busy,
    Reason::RateLimited,
    Reason::LocksUnavailable,
    Reason::LeaseRevoked,
    Reason::Check,
    Reason::Postponed,
    Reason::NotYet,
    Reason::Shutdown,
];

/// What can become of a message that no handler is there for.
const UNHANDLED: &[(Outcome, &[Reason])] = &[
    (Outcome::Rejected, &[Reason::UnknownTask, Reason::Undecodable, Reason::TooLarge, Reason::Poison]),
    (Outcome::Expired, &[Reason::Expired]),
    (Outcome::Failed, &[Reason::Deadline]),
    (Outcome::Deferred, &[Reason::NotYet, Reason::Shutdown]),
];

/// What a worker runs: the names that make up the labels.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// By every name that a task has on the wire: the one that it is counted under, and its queue.
    pub(crate) tasks: Vec<(&'static str, &'static str, &'static str)>,
    pub(crate) queues: Vec<QueueName>,
}

/// What is counted where it happens.
#[derive(Debug, Clone)]
pub(super) struct Counters {
    finished: IntCounterVec,
    durations: HistogramVec,
    waits: HistogramVec,
    retries: IntCounterVec,
    deferrals: IntCounterVec,
    dead: IntCounterVec,
    redeliveries: IntCounterVec,
    lost: IntCounterVec,
    repeats: IntCounterVec,
}

impl Counters {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            finished: defs::TASKS_FINISHED.counter()?,
            durations: defs::TASK_DURATION.histogram()?,
            waits: defs::TASK_QUEUE_WAIT.histogram()?,
            retries: defs::TASK_RETRIES.counter()?,
            deferrals: defs::TASK_DEFERRALS.counter()?,
            dead: defs::DEAD_LETTERED.counter()?,
            redeliveries: defs::REDELIVERIES.counter()?,
            lost: defs::ACKS_LOST.counter()?,
            repeats: defs::SETTLE_REPEATS.counter()?,
        })
    }

    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        let counters =
            [&self.finished, &self.retries, &self.deferrals, &self.dead, &self.redeliveries, &self.lost, &self.repeats];
        let histograms = [&self.durations, &self.waits];
        counters
            .into_iter()
            .flat_map(Collector::collect)
            .chain(histograms.into_iter().flat_map(Collector::collect))
            .collect()
    }
}

/// The counters of one worker, each found without asking for it by its labels.
#[derive(Debug)]
pub(super) struct Book {
    counters: Counters,
    /// From a name on the wire to a row, in the order of names: to find one costs less than to hash it.
    rows: Vec<(&'static str, usize)>,
    tasks: Vec<TaskCells>,
    queues: Vec<QueueCells>,
    /// Row by row. A pair that was not expected begins when it is first seen: a task comes from one queue, as a rule.
    pairs: Vec<OnceLock<PairCells>>,
    lost: IntCounter,
    repeats: Vec<IntCounter>,
}

#[derive(Debug)]
struct TaskCells {
    name: &'static str,
    duration: Histogram,
}

#[derive(Debug)]
struct QueueCells {
    name: QueueName,
    wait: Histogram,
    redeliveries: IntCounter,
}

/// The counters of a task in a queue.
#[derive(Debug)]
struct PairCells {
    retries: IntCounter,
    /// By outcome and reason.
    cells: Vec<OnceLock<Cell>>,
}

/// What one settlement adds to.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    finished: IntCounter,
    also: Option<IntCounter>,
}

impl Cell {
    pub(super) fn count(&self) {
        self.finished.inc();
        if let Some(also) = &self.also {
            also.inc();
        }
    }
}

impl Book {
    /// Begins everything that is expected at 0.
    pub(super) fn new(counters: Counters, names: &Names) -> Self {
        let mut tasks: Vec<&'static str> = names.tasks.iter().map(|(_, task, _)| *task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        tasks.push(UNREGISTERED);
        let row = |task: &str| tasks.iter().position(|name| *name == task);
        let mut rows: Vec<_> = names.tasks.iter().filter_map(|(name, task, _)| Some((*name, row(task)?))).collect();
        rows.sort_unstable();
        let queues = names.queues.iter().map(|queue| QueueCells {
            wait: counters.waits.with_label_values(&[queue.as_str()]),
            redeliveries: counters.redeliveries.with_label_values(&[queue.as_str()]),
            name: queue.clone(),
        });
        let book = Self {
            queues: queues.collect(),
            pairs: (0..tasks.len() * names.queues.len()).map(|_| OnceLock::new()).collect(),
            lost: counters.lost.with_label_values::<&str>(&[]),
            repeats: PublishFault::ALL
                .iter()
                .map(|fault| counters.repeats.with_label_values(&[fault.as_str()]))
                .collect(),
            tasks: tasks
                .iter()
                .map(|task| TaskCells { name: task, duration: counters.durations.with_label_values(&[task]) })
                .collect(),
            counters,
            rows,
        };
        for (_, task, queue) in &names.tasks {
            let column = names.queues.iter().position(|name| name.as_str() == *queue);
            if let (Some(row), Some(column)) = (row(task), column) {
                book.begin(row, column, POSSIBLE);
            }
        }
        for column in 0..book.queues.len() {
            book.begin(book.tasks.len() - 1, column, UNHANDLED);
        }
        book
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &'static str> {
        self.tasks.iter().map(|task| task.name)
    }

    fn begin(&self, row: usize, column: usize, possible: &[(Outcome, &[Reason])]) {
        let pair = self.pair(row, column);
        for (outcome, reasons) in possible {
            for reason in *reasons {
                self.cell(pair, row, column, *outcome, *reason);
            }
        }
    }

    fn pair(&self, row: usize, column: usize) -> &PairCells {
        self.pairs[row * self.queues.len() + column].get_or_init(|| PairCells {
            retries: self
                .counters
                .retries
                .with_label_values(&[self.tasks[row].name, self.queues[column].name.as_str()]),
            cells: (0..Outcome::ALL.len() * Reason::ALL.len()).map(|_| OnceLock::new()).collect(),
        })
    }

    fn cell<'a>(
        &'a self,
        pair: &'a PairCells,
        row: usize,
        column: usize,
        outcome: Outcome,
        reason: Reason,
    ) -> &'a Cell {
        pair.cells[outcome as usize * Reason::ALL.len() + reason as usize].get_or_init(|| {
            let (task, queue) = (self.tasks[row].name, self.queues[column].name.as_str());
            let labels = [task, queue, outcome.as_str(), reason.as_str()];
            let by_reason = |counter: &IntCounterVec| Some(counter.with_label_values(&[queue, reason.as_str()]));
            Cell {
                finished: self.counters.finished.with_label_values(&labels),
                also: match outcome {
                    Outcome::Retried => Some(pair.retries.clone()),
                    Outcome::Deferred => by_reason(&self.counters.deferrals),
                    Outcome::Failed | Outcome::Rejected => by_reason(&self.counters.dead),
                    _ => None,
                },
            }
        })
    }

    fn row(&self, task: &str) -> Option<usize> {
        let at = self.rows.binary_search_by(|(name, _)| (*name).cmp(task)).ok()?;
        Some(self.rows[at].1)
    }

    fn column(&self, queue: &QueueName) -> Option<usize> {
        self.queues.iter().position(|cells| cells.name == *queue)
    }

    /// A slot has taken a delivery.
    pub(super) fn received(&self, delivery: &Delivery, now: SystemTime) {
        let Some(column) = self.column(&delivery.queue.name) else { return };
        let queue = &self.queues[column];
        if delivery.deliveries > 1 {
            queue.redeliveries.inc();
        }
        let due = delivery.message.headers.instant(names::READY_AT);
        // A message from elsewhere does not say since when it was due.
        if let Some(due) = due {
            queue.wait.observe(now.duration_since(due).unwrap_or_default().as_secs_f64());
        }
    }

    pub(super) fn ran(&self, task: &str, elapsed: Duration) {
        if let Some(row) = self.row(task) {
            self.tasks[row].duration.observe(elapsed.as_secs_f64());
        }
    }

    /// What the settlement of a message is to be added to.
    pub(super) fn settling(
        &self,
        task: Option<&str>,
        queue: &QueueName,
        outcome: Outcome,
        reason: Reason,
    ) -> Option<&Cell> {
        let row = task.and_then(|task| self.row(task)).unwrap_or(self.tasks.len() - 1);
        let column = self.column(queue)?;
        Some(self.cell(self.pair(row, column), row, column, outcome, reason))
    }

    pub(super) fn ack_lost(&self) {
        self.lost.inc();
    }

    pub(super) fn repeated(&self, error: &celeriac_broker::Error) {
        self.repeats[PublishFault::of(error) as usize].inc();
    }
}
