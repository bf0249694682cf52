//! A thousand tasks that all want one mutex: how often each is delivered, how fair it is, and how long it takes.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use celeriac::{TaskOptions, prelude::*};
use tokio::sync::Notify;

use super::{locks, name};
use crate::{
    Failure,
    measure::{Settings, quantile},
    raw,
    row::{Goal, Row},
};

const BENCH: &str = "lock-defer";
const QUEUE: &str = "bench.defer";
const HOLD: Duration = Duration::from_millis(100);

/// Waits in the broker with its place in line.
#[task(name = "bench.defer", queue = "bench.defer", mutex("bench.defer", key = round))]
async fn deferred(ctx: Context<Arc<Runs>>, number: u64, round: String) -> Result<(), TaskError> {
    drop(round);
    // The delivery that runs it, and one for each time that it was put off.
    ctx.state().run(number, ctx.request().deferrals + ctx.attempt()).await;
    Ok(())
}

/// Fails while the mutex is held, and is retried a second later, give or take a half.
#[task(name = "bench.fixed", queue = "bench.defer", mutex("bench.defer", key = round, busy = fail),
       retry(max_attempts = 10_000, backoff = "2s..2s", jitter = equal))]
async fn fixed(ctx: Context<Arc<Runs>>, number: u64, round: String) -> Result<(), TaskError> {
    drop(round);
    ctx.state().run(number, ctx.attempt()).await;
    Ok(())
}

/// Fails while the mutex is held, and is retried ever later, spread over the whole of the time.
#[task(name = "bench.exponential", queue = "bench.defer", mutex("bench.defer", key = round, busy = fail),
       retry(max_attempts = 10_000, backoff = "100ms..60s", jitter = full))]
async fn exponential(ctx: Context<Arc<Runs>>, number: u64, round: String) -> Result<(), TaskError> {
    drop(round);
    ctx.state().run(number, ctx.attempt()).await;
    Ok(())
}

/// The order in which tasks held the mutex, and how often each was delivered.
#[derive(Debug)]
struct Runs {
    target: u64,
    seen: Mutex<Vec<(u64, u32)>>,
    span: Mutex<Option<(Instant, Instant)>>,
    done: Notify,
}

impl Runs {
    async fn run(&self, number: u64, deliveries: u32) {
        let begin = Instant::now();
        tokio::time::sleep(HOLD).await;
        let mut span = self.span.lock().unwrap_or_else(PoisonError::into_inner);
        *span = Some((span.map_or(begin, |(first, _)| first), Instant::now()));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((number, deliveries));
        if seen.len() as u64 == self.target {
            self.done.notify_one();
        }
    }
}

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let count = settings.operations(1_000);
    let mut rows = Vec::new();
    for policy in ["defer", "retry in 1 s to 2 s", "exponential, full jitter"] {
        let measured = one(policy, count).await?;
        // Each takes minutes: whoever interrupts the rest has this.
        eprintln!(
            "{BENCH}, {policy}: {:.1} deliveries for each task, {:.0} the worst, passed by {:.0}, makespan {:.2}",
            measured.deliveries, measured.worst, measured.bypass, measured.makespan
        );
        let row = |what: &str, unit, value: f64| Row::alone(BENCH, format!("{policy}: {what}"), unit, &[value]);
        let judge = |row: Row, most: f64| if policy == "defer" { row.goal(Goal::AtMost(most)) } else { row };
        rows.push(judge(row("deliveries for each task", "deliveries", measured.deliveries), 8.0));
        rows.push(row("deliveries, the worst task", "deliveries", measured.worst));
        rows.push(judge(row("tasks that went past one that came before", "tasks", measured.bypass), 16.0));
        rows.push(judge(row("makespan, by holds one after the other", "x", measured.makespan), 1.1));
    }
    Ok(rows)
}

struct Measured {
    deliveries: f64,
    worst: f64,
    bypass: f64,
    makespan: f64,
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn one(policy: &str, count: u64) -> Result<Measured, Failure> {
    let broker = Broker::new(&raw::url()?)?;
    let queue = Queue::new(QUEUE)?;
    broker.transport().delete(&queue.name).await?;
    broker.transport().declare(&queue).await?;
    let (round, locks) = (name("round"), locks()?);
    // A server that has just started gives no mutex out for a while.
    locks.mutex(&name("grace")).lock().await?.release().await?;
    for number in 0..count {
        let round = round.clone();
        match policy {
            "defer" => broker.publish(Deferred { number, round }).await?.id,
            "exponential, full jitter" => broker.publish(Exponential { number, round }).await?.id,
            _ => broker.publish(Fixed { number, round }).await?.id,
        };
    }
    let (seen, span) = (Mutex::default(), Mutex::default());
    let runs = Arc::new(Runs { target: count, seen, span, done: Notify::new() });
    let state = runs.clone();
    let worker = Worker::builder()
        .broker(broker.clone())
        .locks(locks)
        .state(move || async { Ok::<_, Infallible>(state) })
        .register::<Deferred>()
        .register::<Fixed>()
        .register::<Exponential>()
        .queue_defaults(QUEUE, TaskOptions::new())
        .pool(QUEUE, Pool::new(16))
        .build()?;
    let done = runs.clone();
    worker.run_until(async move { done.done.notified().await }).await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    let seen = runs.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let span = *runs.span.lock().unwrap_or_else(PoisonError::into_inner);
    let (first, last) = span.ok_or("nothing was run")?;
    let mut deliveries: Vec<f64> = seen.iter().map(|(_, deliveries)| f64::from(*deliveries)).collect();
    deliveries.sort_by(f64::total_cmp);
    Ok(Measured {
        deliveries: deliveries.iter().sum::<f64>() / deliveries.len() as f64,
        worst: quantile(&deliveries, 1.0),
        bypass: bypass(&seen) as f64,
        makespan: (last - first).as_secs_f64() / (HOLD.as_secs_f64() * count as f64),
    })
}

/// How many of those published later ran before the task that fared worst.
fn bypass(seen: &[(u64, u32)]) -> usize {
    let past = |(at, (number, _)): (usize, &(u64, u32))| seen[..at].iter().filter(|(other, _)| other > number).count();
    seen.iter().enumerate().map(past).max().unwrap_or(0)
}
