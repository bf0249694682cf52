//! Taking and releasing a lock that nobody else wants.

use std::time::{Duration, Instant};

use super::{locks, name, raw::Raw};
use crate::{
    Failure,
    measure::{Settings, interleave},
    row::{Goal, Row},
};

const BENCH: &str = "lock-uncontended";
const TTL: Duration = Duration::from_secs(15);
/// What a client of a pool sends; anything beyond two scripts would be a hidden round trip. Commands inside scripts count as well, so
/// those that scripts use are left out.
const SENT: [&str; 5] = ["evalsha", "eval", "ping", "unwatch", "hello"];

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let count = settings.operations(5_000);
    let locks = locks()?;
    let mut raw = Raw::connect().await?;
    // Connected, and its scripts loaded.
    locks.mutex("warm").lock().await?.release().await?;

    let blocks = interleave(settings, 3, async |side| {
        let name = name("free");
        let before = raw.calls(&SENT).await?;
        let begin = Instant::now();
        let (locks, mut client, key) = (locks.clone(), raw.clone(), name.clone());
        // In a task of the runtime, as a handler is.
        let work = async move {
            match side {
                0 => {
                    let mutex = locks.mutex(&key);
                    for _ in 0..count {
                        mutex.lock().await?.release().await?;
                    }
                }
                1 => {
                    let semaphore = locks.semaphore(&key, 3);
                    for _ in 0..count {
                        semaphore.acquire().await?.release().await?;
                    }
                }
                _ => {
                    for _ in 0..count {
                        if !client.lock(&key, "me", TTL).await? {
                            return Err("it was free".into());
                        }
                        client.unlock(&key, "me").await?;
                    }
                }
            }
            Ok::<_, Failure>(())
        };
        tokio::spawn(work).await??;
        let took = begin.elapsed();
        let after = raw.calls(&SENT).await?;
        let sent: u64 = after.iter().zip(&before).map(|(after, before)| after - before).sum();
        Ok(vec![per(took, count), ratio(sent, count)])
    })
    .await?;
    locks.close().await;

    let baseline = blocks.of(2, 0);
    let row = |side: usize, what: &str, most: f64| {
        let ours = blocks.of(side, 0);
        Row::alone(BENCH, what, "us/pair", &ours)
            .against("SET NX PX, EVALSHA, one connection", &ours, &baseline)
            .goal(Goal::AtMost(most))
    };
    let commands =
        |side: usize, what: &str| Row::alone(BENCH, what, "commands", &blocks.of(side, 1)).goal(Goal::AtMost(2.01));
    Ok(vec![
        row(0, "mutex, take and release", 1.10),
        row(1, "semaphore of 3, take and release", 1.15),
        commands(0, "commands sent, mutex"),
        commands(1, "commands sent, semaphore"),
    ])
}

/// Microseconds each.
#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn per(took: Duration, count: u64) -> f64 {
    took.as_secs_f64() * 1e6 / count as f64
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn ratio(sent: u64, count: u64) -> f64 {
    sent as f64 / count as f64
}
