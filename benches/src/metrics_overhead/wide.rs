//! A worker of 50 tasks in 10 queues, scraped.

use celeriac::{Arg, Broker, DeclaredLock, Locks, WorkerBuilder, metrics::Metrics, prelude::*};
use prometheus::TextEncoder;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::BENCH;
use crate::{
    Failure,
    cpu::Spent,
    measure::{Settings, interleave},
    row::{Goal, Row},
};

/// One of the tasks.
#[derive(Debug, Serialize, Deserialize)]
struct Wide<const N: usize> {}

macro_rules! wide {
    ($($number:literal $queue:literal,)*) => {
        const NAMES: &[&str] = &[$(concat!("inventory.synchronise_articles_", $number)),*];
        const QUEUES: &[&str] = &[$(concat!("inventory.", $queue)),*];

        fn register(builder: WorkerBuilder) -> WorkerBuilder {
            builder $(.register::<Wide<$number>>())*
        }
    };
}

wide! {
    0 "a", 1 "b", 2 "c", 3 "d", 4 "e", 5 "f", 6 "g", 7 "h", 8 "i", 9 "j",
    10 "a", 11 "b", 12 "c", 13 "d", 14 "e", 15 "f", 16 "g", 17 "h", 18 "i", 19 "j",
    20 "a", 21 "b", 22 "c", 23 "d", 24 "e", 25 "f", 26 "g", 27 "h", 28 "i", 29 "j",
    30 "a", 31 "b", 32 "c", 33 "d", 34 "e", 35 "f", 36 "g", 37 "h", 38 "i", 39 "j",
    40 "a", 41 "b", 42 "c", 43 "d", 44 "e", 45 "f", 46 "g", 47 "h", 48 "i", 49 "j",
}

impl<const N: usize> Task for Wide<N> {
    const NAME: &'static str = NAMES[N];
    const ARGS: &'static [Arg] = &[];
    const LOCKS: &'static [DeclaredLock] =
        if N < 10 { &[DeclaredLock::mutex(NAMES[N])] } else { &[DeclaredLock::semaphore("dealer", 3)] };
    type Output = ();

    fn options() -> TaskOptions {
        TaskOptions::new().queue(QUEUES[N])
    }
}

impl<const N: usize> Handler<()> for Wide<N> {
    async fn run(self, _ctx: Context<()>) -> Result<(), TaskError> {
        Ok(())
    }
}

pub(super) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let metrics = Metrics::register(&prometheus::Registry::new())?;
    let mut builder = register(Worker::builder().broker(Broker::memory()).locks(Locks::from_url("memory://")?));
    for queue in &QUEUES[..10] {
        builder = builder.pool(*queue, Pool::new(4));
    }
    let worker = builder.metrics(&metrics).build()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(worker.run_until(async { drop(stopped.await) }));
    let text = || TextEncoder::new().encode_to_string(&metrics.registry().gather());
    // Not before the queues were looked at.
    while !text()?.contains("celeriac_queue_depth") {
        tokio::task::yield_now().await;
    }
    let scrapes = settings.operations(200);
    // Processor time, which others on the machine disturb the least: a scrape waits for nothing else.
    let blocks = interleave(settings, 1, async |_| {
        let (spent, mut size) = (Spent::begin(), 0);
        for _ in 0..scrapes {
            size = text()?.len();
        }
        #[allow(clippy::cast_precision_loss, reason = "a size far below 2^52")]
        let kilobytes = size as f64 / 1000.0;
        Ok(vec![spent.micros_per(scrapes) / 1e3, kilobytes])
    })
    .await?;
    drop(stop);
    running.await??;
    let row = |what: &str, unit, values: &[f64], most| {
        Row::alone(BENCH, format!("a scrape of 50 tasks in 10 queues, {what}"), unit, values).goal(Goal::AtMost(most))
    };
    Ok(vec![row("time", "ms of CPU", &blocks.of(0, 0), 5.0), row("size", "kB", &blocks.of(0, 1), 500.0)])
}
