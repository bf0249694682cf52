//! Renewing a thousand leases.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::{locks, name, raw::Raw};
use crate::{
    Failure,
    measure::Settings,
    row::{Goal, Row},
};

const BENCH: &str = "lock-renew";
const LEASES: u64 = 1_000;
const TTL: Duration = Duration::from_secs(3);

pub(crate) async fn run(_: &Settings) -> Result<Vec<Row>, Failure> {
    let locks = locks()?;
    let mut raw = Raw::connect().await?;
    let name = name("renew");
    let guards = try_join_all((0..LEASES).map(|number| {
        let mutex = locks.mutex(&name).key(number).ttl(TTL);
        async move { mutex.lock().await }
    }))
    .await?;
    let mut scripts = Vec::new();
    let mut busy = Vec::new();
    // Three rounds of renewal in each ttl.
    for _ in 0..3 {
        let (before, begin) = (raw.calls(&["evalsha"]).await?[0], Instant::now());
        let spent = raw.script_micros().await?;
        tokio::time::sleep(TTL).await;
        let rounds = begin.elapsed().as_secs_f64() / (TTL.as_secs_f64() / 3.0);
        #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        scripts.push((raw.calls(&["evalsha"]).await?[0] - before) as f64 / rounds);
        busy.push((raw.script_micros().await? - spent) / rounds / 1e3);
    }
    if guards.iter().any(|guard| guard.ensure_valid().is_err()) {
        return Err("a lease was lost".into());
    }
    locks.close().await;
    Ok(vec![
        Row::alone(BENCH, "1,000 leases: scripts for each renewal of all", "scripts", &scripts)
            .goal(Goal::AtMost(10.0)),
        Row::alone(BENCH, "1,000 leases: Redis busy for each renewal of all", "ms", &busy).goal(Goal::AtMost(20.0)),
    ])
}
