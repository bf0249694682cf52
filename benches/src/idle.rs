//! A worker without work: what it costs, and how fast it begins.

use std::time::{Duration, Instant};

use celeriac::{Broker, Queue, QueueName};

use crate::{
    Failure,
    child::{self, TimeOfDay, WorkerProcess},
    cpu,
    measure::{Settings, interleave},
    raw,
    row::{Goal, Row},
    sqlite_noop::scratch,
};

const BENCH: &str = "idle";

/// How long an idle worker is watched, after as much time to settle as `SETTLE`.
const WATCHED: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(1);

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir_in(scratch()?)?;
    let file = format!("sqlite://{}", folder.path().join("idle.db").display());
    let mut rows = Vec::new();
    for (name, url) in [("SQLite", file), ("RabbitMQ", raw::url()?)] {
        let broker = Broker::new(&url)?;
        broker.transport().declare(&Queue::new(child::TIME_OF_DAY)?).await?;
        let first = interleave(settings, 1, async |_| first_task(&broker, &url).await).await?.of(0, 0);
        let goal = Goal::AtMost(100.0);
        rows.push(Row::alone(BENCH, format!("{name}, process start to first task"), "ms", &first).goal(goal));
        // Once: it hardly varies, and takes its time.
        let (memory, share) = watch(&url).await?;
        rows.push(Row::alone(BENCH, format!("{name}, memory"), "MiB", &[memory]).goal(Goal::AtMost(20.0)));
        rows.push(Row::alone(BENCH, format!("{name}, CPU"), "% of a core", &[share]).goal(Goal::AtMost(1.0)));
        broker.transport().delete(&QueueName::new(child::TIME_OF_DAY)?).await?;
        broker.close().await;
    }
    Ok(rows)
}

async fn first_task(broker: &Broker, url: &str) -> Result<Vec<f64>, Failure> {
    broker.publish(TimeOfDay { number: 0 }).await?;
    let begin = Instant::now();
    let mut worker = WorkerProcess::start("clock", url)?;
    worker.line().await?;
    let took = begin.elapsed();
    worker.ended().await?;
    Ok(vec![took.as_secs_f64() * 1e3])
}

async fn watch(url: &str) -> Result<(f64, f64), Failure> {
    let worker = WorkerProcess::start("clock", url)?;
    tokio::time::sleep(SETTLE).await;
    let before = cpu::used(&worker.pid());
    tokio::time::sleep(WATCHED).await;
    let (now, memory) = (cpu::used(&worker.pid()), cpu::resident(&worker.pid()));
    worker.ended().await?;
    let (Some(before), Some(now), Some(memory)) = (before, now, memory) else {
        return Ok((f64::NAN, f64::NAN));
    };
    Ok((memory, now.saturating_sub(before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0))
}
