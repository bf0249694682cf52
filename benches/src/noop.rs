//! The task that does nothing, and the worker that counts how often.

use std::{
    convert::Infallible,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use celeriac::{Message, Outcome, metrics::Metrics, prelude::*};
use tokio::sync::Notify;

use crate::Failure;

/// Where it is published to.
pub(crate) const QUEUE: &str = "bench.noop";

/// The size of every body, in bytes.
const BODY: usize = 256;

/// Does nothing with what fills its message.
#[task(name = "bench.noop", queue = "bench.noop")]
pub(crate) async fn noop(ctx: Context<Arc<Meter>>, padding: String) -> Result<(), TaskError> {
    drop(padding);
    ctx.state().tick();
    Ok(())
}

/// What fills a body to 256 bytes.
pub(crate) fn padding() -> Result<String, Failure> {
    let empty = message(String::new())?.body.len();
    Ok("x".repeat(BODY - empty))
}

/// The message that a broker would be given.
pub(crate) fn message(padding: String) -> Result<Message, Failure> {
    Ok(Broker::memory().message(Noop { padding }).build()?.1)
}

/// Counts runs up to a target.
#[derive(Debug)]
pub(crate) struct Meter {
    target: u64,
    seen: AtomicU64,
    first: OnceLock<Instant>,
    last: OnceLock<Instant>,
    done: Notify,
}

impl Meter {
    pub(crate) fn new(target: u64) -> Arc<Self> {
        let (first, last) = (OnceLock::new(), OnceLock::new());
        Arc::new(Self { target, seen: AtomicU64::new(0), first, last, done: Notify::new() })
    }

    pub(crate) fn tick(&self) {
        let before = self.seen.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            let _ = self.first.set(Instant::now());
        }
        if before + 1 == self.target {
            let _ = self.last.set(Instant::now());
            self.done.notify_one();
        }
    }

    /// Resolves at the target.
    pub(crate) async fn reached(&self) {
        self.done.notified().await;
    }

    /// From the first run, or an earlier moment, to the last.
    pub(crate) fn took(&self, since: Option<Instant>) -> Result<Duration, Failure> {
        let (Some(first), Some(last)) = (self.first.get(), self.last.get()) else { return Err("nothing ran".into()) };
        Ok(*last - since.unwrap_or(*first))
    }
}

/// Runs what is in a queue until the meter has reached its target; everything must have succeeded.
pub(crate) async fn work(broker: Broker, pool: Pool, meter: Arc<Meter>) -> Result<(), Failure> {
    work_with(broker, pool, meter, None).await
}

/// The same, counted in `metrics`.
pub(crate) async fn work_with(
    broker: Broker,
    pool: Pool,
    meter: Arc<Meter>,
    metrics: Option<&Metrics>,
) -> Result<(), Failure> {
    let (state, target, reached) = (meter.clone(), meter.target, meter);
    let mut builder = Worker::builder()
        .state(move || async move { Ok::<_, Infallible>(state) })
        .register::<Noop>()
        .broker(broker)
        .pool(QUEUE, pool);
    if let Some(metrics) = metrics {
        builder = builder.metrics(metrics);
    }
    let worker = builder.build()?;
    let report = worker.run_until(async move { reached.reached().await }).await?;
    if report.tally.of(Outcome::Succeeded) != target {
        return Err(format!("{target} were to succeed: {report}").into());
    }
    Ok(())
}

/// Publishes many, 512 in flight.
pub(crate) async fn publish(broker: &Broker, count: u64) -> Result<(), Failure> {
    let padding = padding()?;
    for sent in broker.publish_all((0..count).map(|_| Noop { padding: padding.clone() })).await {
        sent?;
    }
    Ok(())
}
