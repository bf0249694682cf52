//! Tests of tasks without a broker: the real execution path on queues in memory.

mod record;

pub use record::{Record, Report};

use std::fmt;

use celeriac_broker::{Broker, Draft, Error as BrokerError, Sent, Task};
use futures_util::future::try_join_all;
use tokio::{sync::mpsc, time::Instant};

use crate::{Error, WorkerBuilder, signals::StopRequests};

/// Runs tasks as a worker does, on queues in memory, and keeps what became of each.
///
/// With tokio's time paused (`#[tokio::test(start_paused = true)]`, tokio's feature `test-util`) delays and limits take no
/// time, and are exact.
///
/// ```
/// # use celeriac_broker::{Arg, Outcome, Task, TaskError};
/// # use celeriac_worker::{Context, Handler, Pool, Worker, harness::Harness};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Flaky {}
/// # impl Task for Flaky {
/// #     const NAME: &'static str = "flaky";
/// #     const ARGS: &'static [Arg] = &[];
/// #     type Output = ();
/// # }
/// # impl Handler<()> for Flaky {
/// #     async fn run(self, ctx: Context<()>) -> Result<(), TaskError> {
/// #         if ctx.attempt() == 1 { Err(TaskError::new("down")) } else { Ok(()) }
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut harness = Harness::new(|| Worker::builder().register::<Flaky>().pool("celeriac", Pool::new(4)));
/// let sent = harness.publish(Flaky {}).await?;
/// let report = harness.run_until_idle().await?;
/// report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
/// # Ok(()) }
/// ```
pub struct Harness<S> {
    broker: Broker,
    make: Box<dyn Fn() -> WorkerBuilder<S>>,
    workers: usize,
    slots: Option<u16>,
    began: Instant,
}

impl<S: Send + Sync + 'static> Harness<S> {
    /// Takes what builds a worker; the harness gives it its broker. Called once per worker and run.
    pub fn new(make: impl Fn() -> WorkerBuilder<S> + 'static) -> Self {
        Self { broker: Broker::memory(), make: Box::new(make), workers: 1, slots: None, began: Instant::now() }
    }

    /// How many workers run at once. Default: 1.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// How many slots each pool has, whatever the pools say.
    pub fn slots(mut self, slots: u16) -> Self {
        self.slots = Some(slots);
        self
    }

    /// The broker in memory.
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// Publishes a task; nothing runs before [`run_until_idle`](Self::run_until_idle).
    ///
    /// # Errors
    /// As [`Draft::publish`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have published.
    pub async fn publish<T: Task>(&self, task: T) -> Result<Sent<T>, BrokerError> {
        self.broker.publish(task).await
    }

    /// A task to be published with other options than its own.
    pub fn message<T: Task>(&self, task: T) -> Draft<T> {
        self.broker.message(task)
    }

    /// Runs until nothing is ready, running, delayed or deferred, and says what became of each delivery.
    ///
    /// # Errors
    /// What [`WorkerBuilder::build`] and [`Worker::run_until_idle`](crate::Worker::run_until_idle) return.
    ///
    /// # Cancel safety
    /// A dropped future drops every run; their messages stay.
    pub async fn run_until_idle(&mut self) -> Result<Report, Error> {
        let (send, mut records) = mpsc::unbounded_channel();
        let mut running = Vec::with_capacity(self.workers);
        for _ in 0..self.workers {
            let mut builder = (self.make)().broker(self.broker.clone()).on_callers_runtime();
            if let Some(slots) = self.slots {
                builder = builder.concurrency(slots).prefetch(slots);
            }
            let worker = builder.record(send.clone()).build()?;
            running.push(worker.drive(StopRequests::once(std::future::pending()), true));
        }
        drop(send);
        try_join_all(running).await?;
        let mut report = Report::new(self.began);
        while let Ok(record) = records.try_recv() {
            report.push(record);
        }
        Ok(report)
    }
}

impl<S> fmt::Debug for Harness<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness").field("workers", &self.workers).field("slots", &self.slots).finish_non_exhaustive()
    }
}
