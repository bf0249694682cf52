//! A pool is the slots that run one queue's tasks, so a slow queue does not delay a fast one. Several queues can also share a
//! pool by weight: each gets its share while all have work, and no slot idles beside a backlog.
//!
//! Run: `cargo run --example pools_per_queue`
//!
//! It prints when each queue was done, and in which order the shared slot ran its tasks:
//!
//! ```text
//! Pools of their own:
//!   40 mails done after 0.2 s, 6 reports done after 1.0 s
//! One slot shared by paid (3) and free (1):
//!   paid paid free paid paid paid free ..
//!   12 paid and 12 free: no slot was idle while there was work
//! ```

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use celeriac::{WorkerBuilder, prelude::*};
use tokio::time::sleep;

/// The worker's state: what ran, and when it was done.
struct Log {
    began: Instant,
    done: Mutex<Vec<(&'static str, Duration)>>,
}

impl Log {
    fn begin() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), done: Mutex::new(Vec::new()) })
    }

    fn add(&self, task: &'static str) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push((task, self.began.elapsed()));
    }

    fn done(&self) -> Vec<(&'static str, Duration)> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last(&self, task: &str) -> f64 {
        self.done().iter().filter(|done| done.0 == task).map(|done| done.1.as_secs_f64()).fold(0.0, f64::max)
    }
}

#[task(name = "pools.mail", queue = "pools.mail")]
async fn mail(ctx: Context<Arc<Log>>) -> Result<(), TaskError> {
    sleep(Duration::from_millis(5)).await;
    ctx.state().add("mail");
    Ok(())
}

#[task(name = "pools.report", queue = "pools.report")]
async fn report(ctx: Context<Arc<Log>>) -> Result<(), TaskError> {
    sleep(Duration::from_millis(300)).await;
    ctx.state().add("report");
    Ok(())
}

/// One task, published to either of two queues.
#[task(name = "pools.convert", queue = "pools.free")]
async fn convert(ctx: Context<Arc<Log>>) -> Result<(), TaskError> {
    sleep(Duration::from_millis(5)).await;
    ctx.state().add(if ctx.queue().as_str() == "pools.paid" { "paid" } else { "free" });
    Ok(())
}

fn worker(log: &Arc<Log>) -> WorkerBuilder<Arc<Log>> {
    let log = log.clone();
    Worker::builder().state(|| async { Ok::<_, Infallible>(log) })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;

    println!("Pools of their own:");
    for _ in 0..6 {
        broker.publish(Report).await?;
    }
    for sent in broker.publish_all((0..40).map(|_| Mail)).await {
        sent?;
    }
    let log = Log::begin();
    worker(&log)
        .register::<Mail>()
        .register::<Report>()
        .pool("pools.mail", Pool::new(4))
        .pool("pools.report", Pool::new(2))
        .build()?
        .run_until_idle()
        .await?;
    let (mail, report) = (log.last("mail"), log.last("report"));
    println!("  40 mails done after {mail:.1} s, 6 reports done after {report:.1} s");

    println!("One slot shared by paid (3) and free (1):");
    for _ in 0..12 {
        broker.publish(Convert).await?;
        broker.message(Convert).queue("pools.paid").publish().await?;
    }
    let log = Log::begin();
    worker(&log)
        .register::<Convert>()
        .shared_pool([("pools.paid", 3), ("pools.free", 1)], Pool::new(1))
        .build()?
        .run_until_idle()
        .await?;
    let order: Vec<_> = log.done().into_iter().map(|(task, _)| task).collect();
    println!("  {}", order.join(" "));
    let early = order.iter().take(12).filter(|task| **task == "paid").count();
    println!("  {early} of the first 12 were paid, and all {} ran", order.len());
    Ok(())
}
