//! What Celery's abstract base task does, in three parts: resources that runs share are the worker's state, code around every
//! run is a `Middleware`, and what a family of tasks has in common is one constant, its hooks included.
//!
//! Run: `cargo run --example state_and_middleware`
//!
//! It prints a line of the middleware around each run, the runs in between, and what the family's hook makes of a failure:
//!
//! ```text
//! state: connected to dms.example.org
//! [0cac] dms.index, attempt 1
//! [0cac] document 1 is in the index of dms.example.org, 1 in all
//! [0cac] succeeded after 11 ms
//! [4a81] dms.index, attempt 1
//! [4a81] error, again in 44 ms: document 13 is locked
//! [4a81] retried after 11 ms
//! ..
//! ticket: dms.index of document 13 failed after 2 attempts: document 13 is locked
//! ..
//! 4 attempts, 2 succeeded, 1 retried, 1 failed
//! ```

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use celeriac::{
    Failure, Jitter, Middleware, Outcome, RetryPolicy,
    prelude::*,
    task::{Event, Hooks},
};
use tokio::time::sleep;

/// The state: built once per process, when the worker runs.
struct Dms {
    host: &'static str,
    indexed: AtomicU32,
}

impl Dms {
    fn connect() -> Self {
        let host = "dms.example.org";
        println!("state: connected to {host}");
        Self { host, indexed: AtomicU32::new(0) }
    }
}

/// Runs around every task of the worker.
struct Log;

#[async_trait]
impl Middleware<Dms> for Log {
    async fn before(&self, ctx: &Context<Dms>) -> Result<(), TaskError> {
        println!("[{}] {}, attempt {}", tail(ctx), ctx.request().task, ctx.attempt());
        Ok(())
    }

    async fn after(&self, ctx: &Context<Dms>, outcome: Outcome, elapsed: Duration) {
        println!("[{}] {outcome} after {} ms", tail(ctx), elapsed.as_millis());
    }

    async fn on_failure(&self, ctx: &Context<Dms>, failure: &Failure) {
        let next = failure.retry_in.map_or("no more".to_owned(), |delay| format!("again in {} ms", delay.as_millis()));
        println!("[{}] {}, {next}: {}", tail(ctx), failure.reason, failure.error);
    }
}

/// The family's options; a task that says otherwise has precedence.
const DMS: TaskOptions = TaskOptions::new()
    .queue("dms")
    .time_limit(Duration::from_secs(10))
    .retry(RetryPolicy::checked(2, Duration::from_millis(50), Duration::from_secs(1), Jitter::Equal))
    .hooks(&OpenTicket);

/// What the family does when no attempt is left. It knows the arguments and the broker: it could publish a task.
struct OpenTicket;

#[async_trait]
impl Hooks for OpenTicket {
    async fn on_exhausted(&self, event: Event<'_>) {
        let Event { task, attempt, error, .. } = event;
        let document = &event.arguments["document"];
        println!("ticket: {task} of document {document} failed after {attempt} attempts: {error}");
    }
}

#[task(name = "dms.index", defaults = DMS)]
async fn index(ctx: Context<Dms>, document: u32) -> Result<(), TaskError> {
    sleep(Duration::from_millis(10)).await;
    if document == 13 {
        return Err(TaskError::new("document 13 is locked"));
    }
    let indexed = ctx.state().indexed.fetch_add(1, Ordering::Relaxed) + 1;
    println!("[{}] document {document} is in the index of {}, {indexed} in all", tail(&ctx), ctx.state().host);
    Ok(())
}

/// Of the same family, and more patient than the rest of it.
#[task(name = "dms.archive", defaults = DMS, time_limit = "1h")]
async fn archive(ctx: Context<Dms>, document: u32) -> Result<(), TaskError> {
    let remaining = ctx.remaining().unwrap_or_default().as_secs_f64();
    println!("[{}] document {document} is archived; the limit is {:.0} s away", tail(&ctx), remaining);
    Ok(())
}

/// The end of a task's id is enough to tell a few apart.
fn tail(ctx: &Context<Dms>) -> &str {
    let id = ctx.id().as_str();
    id.get(id.len().saturating_sub(4)..).unwrap_or(id)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;
    broker.publish(Index { document: 1 }).await?;
    broker.publish(Index { document: 13 }).await?;
    broker.publish(Archive { document: 1 }).await?;

    let worker = Worker::builder()
        .state(|| async { Ok::<_, Infallible>(Dms::connect()) })
        .middleware(Log)
        .register::<Index>()
        .register::<Archive>()
        .pool("dms", Pool::new(1))
        .build()?;
    println!("{}", worker.run_until_idle().await?.tally);
    Ok(())
}
