//! A soft limit asks a run to stop, a hard limit stops it. Three handlers meet them: one saves its progress and publishes the
//! rest, one gives up the call it waits for, one does not listen and is dropped; a hook hears of those that failed.
//!
//! Run: `cargo run --example time_limits`
//!
//! It prints how each run ended:
//!
//! ```text
//! crawl: pages 0..4, and the soft limit has passed; the rest is a task of its own
//! crawl: pages 4..8, and the soft limit has passed; the rest is a task of its own
//! crawl: pages 8..10, done
//! fetch: closes its connection
//! exhausted: limits.fetch (soft_limit): the soft time limit has passed
//! listen: dropped, what it held is released
//! exhausted: limits.listen (hard_limit): stopped at its hard limit of 500ms
//! 5 attempts, 3 succeeded, 2 failed
//! ```

use std::time::Duration;

use celeriac::{
    RetryPolicy,
    prelude::*,
    task::{Event, Hooks},
};
use tokio::time::sleep;

/// What these tasks have in common.
const LIMITED: TaskOptions = TaskOptions::new()
    .queue("limits")
    .soft_time_limit(Duration::from_millis(300))
    .time_limit(Duration::from_millis(500))
    .retry(RetryPolicy::NEVER)
    .hooks(&Complain);

struct Complain;

#[async_trait::async_trait]
impl Hooks for Complain {
    async fn on_exhausted(&self, event: Event<'_>) {
        println!("exhausted: {} ({}): {}", event.task, event.reason, event.error);
    }
}

/// Prints when it is dropped: what a run holds is released also when the run is stopped.
struct Held(&'static str);

impl Drop for Held {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

/// Stops between two pages, and leaves the rest to a child. The run succeeds.
#[task(name = "limits.crawl", defaults = LIMITED)]
async fn crawl(ctx: Context<()>, from: u32, to: u32) -> Result<(), TaskError> {
    for page in from..to {
        tokio::select! {
            _ = ctx.cancelled() => {
                println!("crawl: pages {from}..{page}, and the soft limit has passed; the rest is a task of its own");
                ctx.publish(Crawl { from: page, to }).await?;
                return Ok(());
            }
            () = sleep(Duration::from_millis(70)) => {}
        }
    }
    println!("crawl: pages {from}..{to}, done");
    Ok(())
}

/// Gives up what it waits for. The attempt fails with the reason `soft_limit`.
#[task(name = "limits.fetch", defaults = LIMITED)]
async fn fetch(ctx: Context<()>) -> Result<(), TaskError> {
    let slow_server = std::future::pending::<()>();
    let answer = ctx.until_soft_limit(slow_server).await;
    if answer.is_err() {
        println!("fetch: closes its connection");
    }
    Ok(answer?)
}

/// Does not listen. The attempt fails with the reason `hard_limit`.
#[task(name = "limits.listen", defaults = LIMITED)]
async fn listen(_ctx: Context<()>) -> Result<(), TaskError> {
    let _socket = Held("listen: dropped, what it held is released");
    std::future::pending().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;
    broker.publish(Crawl { from: 0, to: 10 }).await?;
    broker.publish(Fetch).await?;
    broker.publish(Listen).await?;

    let worker = Worker::builder()
        .register::<Crawl>()
        .register::<Fetch>()
        .register::<Listen>()
        .pool("limits", Pool::new(1))
        .build()?;
    println!("{}", worker.run_until_idle().await?.tally);
    Ok(())
}
