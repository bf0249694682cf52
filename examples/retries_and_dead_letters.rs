//! What becomes of a task that fails: another attempt after a jittered backoff, or after the delay that a server asked for, or a
//! dead letter at once. Then the dead letter is listed, its cause mended, and it is replayed with all its attempts again.
//!
//! Run: `cargo run --example retries_and_dead_letters`
//!
//! It prints each attempt with the delay before it, the dead letter, and what became of its replay:
//!
//! ```text
//! Working:
//!   refresh: attempt 1 failed
//!   lookup: attempt 1, the server said Retry-After: 0.3 s
//!   charge: the card of account 7 has expired, no retry
//!   refresh: attempt 2 after 96 ms failed
//!   refresh: attempt 3 after 104 ms succeeded
//!   lookup: attempt 2 after 300 ms succeeded
//!   6 attempts, 2 succeeded, 3 retried, 1 failed
//! Dead letters in retries.dead:
//!   retries.charge {'account': 7, 'cents': 1999}
//!     permanent: the card of account 7 has expired
//! Account 7 has a new card. Replayed: 1
//!   charge: account 7 has paid 1999
//!   1 attempt, 1 succeeded
//! ```

use std::{convert::Infallible, time::Duration};

use celeriac::{Destination, DrainReport, message::names, prelude::*, transport::Verdict};

const QUEUE: &str = "retries";

/// The worker's state.
struct Cards {
    renewed: bool,
}

/// Fails twice. Delays: uniform between 0 and 100 ms, then between 0 and 200 ms, so that tasks that failed together do not
/// come back together.
#[task(name = "retries.refresh", queue = QUEUE, retry(max_attempts = 4, backoff = "100ms..2s", jitter = full))]
async fn refresh(ctx: Context<Cards>) -> Result<(), TaskError> {
    if ctx.attempt() < 3 {
        println!("  refresh: attempt {} failed", attempt(&ctx));
        // Any error is retried by the policy: `?` is all that most handlers need.
        Err(std::io::Error::other("the cache is down"))?;
    }
    println!("  refresh: attempt {} succeeded", attempt(&ctx));
    Ok(())
}

/// Is told when to come back.
#[task(name = "retries.lookup", queue = QUEUE)]
async fn lookup(ctx: Context<Cards>) -> Result<(), TaskError> {
    if ctx.attempt() == 1 {
        println!("  lookup: attempt 1, the server said Retry-After: 0.3 s");
        return Err(TaskError::retry_after(TaskError::new("429 Too Many Requests"), Duration::from_millis(300)));
    }
    println!("  lookup: attempt {} succeeded", attempt(&ctx));
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("the card of account {account} has expired")]
struct CardExpired {
    account: u64,
}

/// Knows that no other attempt would help.
#[task(name = "retries.charge", queue = QUEUE)]
async fn charge(ctx: Context<Cards>, account: u64, cents: u64) -> Result<(), TaskError> {
    if !ctx.state().renewed {
        println!("  charge: the card of account {account} has expired, no retry");
        return Err(TaskError::permanent(CardExpired { account }));
    }
    println!("  charge: account {account} has paid {cents}");
    Ok(())
}

fn attempt(ctx: &Context<Cards>) -> String {
    match ctx.request().previous_delay {
        None => ctx.attempt().to_string(),
        Some(delay) => format!("{} after {} ms", ctx.attempt(), delay.as_millis()),
    }
}

async fn work(cards: Cards) -> Result<DrainReport, celeriac::worker::Error> {
    Worker::builder()
        .state(|| async { Ok::<_, Infallible>(cards) })
        .register::<Refresh>()
        .register::<Lookup>()
        .register::<Charge>()
        .pool(QUEUE, Pool::new(4))
        .build()?
        .run_until_idle()
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;
    broker.publish(Refresh).await?;
    broker.publish(Lookup).await?;
    broker.publish(Charge { account: 7, cents: 1999 }).await?;
    println!("Working:");
    println!("  {}", work(Cards { renewed: false }).await?.tally);

    // A dead letter is the message itself, with the reason in its headers. Its arguments are shown as the producer showed
    // them, secrets masked.
    let queue = broker.queue(QUEUE)?;
    let dead = queue.name.dead()?;
    println!("Dead letters in {dead}:");
    let list = |message: &celeriac::Message| {
        let header = |name| message.headers.text(name).unwrap_or("?");
        println!("  {} {}", header(names::TASK), header(names::KWARGSREPR));
        println!("    {}: {}", header(names::DEAD_REASON), header(names::DEAD_ERROR));
        Verdict::Keep
    };
    broker.transport().sweep(&dead, 100, &mut { list }).await?;

    // On the command line: `celeriac dead retry`.
    let now = broker.clock().now();
    let mut replay = |message: &celeriac::Message| match message.task() {
        Some(Charge::NAME) => Verdict::Move(Box::new(Destination::now(queue.clone())), Box::new(message.revived(now))),
        _ => Verdict::Keep,
    };
    let swept = broker.transport().sweep(&dead, 100, &mut replay).await?;
    println!("Account 7 has a new card. Replayed: {}", swept.moved);
    println!("  {}", work(Cards { renewed: true }).await?.tally);
    Ok(())
}
