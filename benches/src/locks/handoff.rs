//! 64 contenders for one lock, each holding it for a millisecond at a time.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::{locks, name, raw::Raw};
use crate::{
    Failure,
    measure::{Settings, interleave, quantile, rate},
    row::{Goal, Row},
};

const BENCH: &str = "lock-handoff";
const CONTENDERS: u32 = 64;
const HOLD: Duration = Duration::from_millis(1);
/// How long a poller sleeps between two attempts: rslock's default.
const POLL: Duration = Duration::from_millis(200);
const COUNTED: [&str; 2] = ["evalsha", "eval"];

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let turns = settings.operations(40).max(2);
    let locks = locks()?;
    let mut watcher = Raw::connect().await?;
    locks.mutex("warm").lock().await?.release().await?;

    let blocks = interleave(settings, 3, async |side| {
        let name = name("handoff");
        let before = watcher.calls(&COUNTED).await?;
        let begin = Instant::now();
        let waits = match side {
            0 => all((0..CONTENDERS).map(|_| leases(locks.clone(), name.clone(), turns))).await?,
            1 => {
                watcher.give(&name).await?;
                all((0..CONTENDERS).map(|_| tokens(name.clone(), turns))).await?
            }
            // A poller takes turns by chance: a quarter of them is enough to see how it does.
            _ => {
                let polls = |number: u32| polls(watcher.clone(), name.clone(), number, turns.div_ceil(4));
                all((0..CONTENDERS).map(polls)).await?
            }
        };
        let took = begin.elapsed();
        let after = watcher.calls(&COUNTED).await?;
        let sent: u64 = after.iter().zip(&before).map(|(after, before)| after - before).sum();
        let mut waits: Vec<f64> = waits.into_iter().flatten().map(|wait| wait.as_secs_f64()).collect();
        waits.sort_by(f64::total_cmp);
        #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let grants = waits.len() as f64;
        // What everybody would wait if turns were dealt round.
        let fair = took.as_secs_f64() / grants * f64::from(CONTENDERS - 1);
        #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let commands = sent as f64 / grants;
        Ok(vec![rate(waits.len() as u64, took), quantile(&waits, 0.99) / fair, commands])
    })
    .await?;
    locks.close().await;

    let ours = blocks.of(0, 0);
    let row = || Row::alone(BENCH, "64 contenders, 1 ms hold", "grants/s", &ours);
    Ok(vec![
        row().against("BLPOP of a token, 64 connections", &ours, &blocks.of(1, 0)).goal(Goal::AtLeast(1.0)),
        row().against("polling every 200 ms, SET NX PX", &ours, &blocks.of(2, 0)),
        Row::alone(BENCH, "p99 wait, by a fair share", "x", &blocks.of(0, 1)).goal(Goal::AtMost(1.1)),
        Row::alone(BENCH, "p99 wait, by a fair share: BLPOP", "x", &blocks.of(1, 1)),
        Row::alone(BENCH, "p99 wait, by a fair share: polling", "x", &blocks.of(2, 1)),
        // A question when it comes, and a release, whose answer hands over to the next within the process.
        Row::alone(BENCH, "scripts for each grant", "scripts", &blocks.of(0, 2)).goal(Goal::AtMost(2.1)),
    ])
}

/// Each in a task of the runtime, as handlers are.
async fn all(
    contenders: impl Iterator<Item = impl Future<Output = Result<Vec<Duration>, Failure>> + Send + 'static>,
) -> Result<Vec<Vec<Duration>>, Failure> {
    try_join_all(contenders.map(tokio::spawn)).await?.into_iter().collect()
}

async fn leases(locks: celeriac::mutex::Locks, name: String, turns: u64) -> Result<Vec<Duration>, Failure> {
    let mutex = locks.mutex(&name);
    let mut waits = Vec::new();
    for _ in 0..turns {
        let begin = Instant::now();
        let guard = mutex.lock().await?;
        waits.push(begin.elapsed());
        tokio::time::sleep(HOLD).await;
        guard.release().await?;
    }
    Ok(waits)
}

async fn tokens(list: String, turns: u64) -> Result<Vec<Duration>, Failure> {
    // A blocking command needs a connection to itself.
    let mut raw = Raw::connect().await?;
    let mut waits = Vec::new();
    for _ in 0..turns {
        let begin = Instant::now();
        raw.take(&list).await?;
        waits.push(begin.elapsed());
        tokio::time::sleep(HOLD).await;
        raw.give(&list).await?;
    }
    Ok(waits)
}

async fn polls(mut raw: Raw, key: String, number: u32, turns: u64) -> Result<Vec<Duration>, Failure> {
    let value = number.to_string();
    let mut waits = Vec::new();
    for _ in 0..turns {
        let begin = Instant::now();
        while !raw.lock(&key, &value, Duration::from_secs(15)).await? {
            tokio::time::sleep(POLL).await;
        }
        waits.push(begin.elapsed());
        tokio::time::sleep(HOLD).await;
        raw.unlock(&key, &value).await?;
    }
    Ok(waits)
}
