//! How soon a lock is free after its holder has died, as far as the store can tell: it is renewed no more.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;

use super::{locks, name};
use crate::{
    Failure,
    measure::{Settings, quantile},
    row::Row,
};

const BENCH: &str = "lock-crash";
const TTL: Duration = Duration::from_millis(500);

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let (holders, waiters) = (locks()?, locks()?);
    let count = settings.operations(200).max(20);
    let crash = async |number: u64| {
        let mutex = holders.mutex(&name("crash")).key(number).ttl(TTL);
        let begin = Instant::now();
        let dead = mutex.lock().await?;
        dead.stop_renewing_at(begin);
        let next = waiters.mutex_at(mutex.lock_key().clone())?.ttl(TTL);
        let next = next.lock().await?;
        let late = begin.elapsed().saturating_sub(TTL);
        next.release().await?;
        Ok::<_, Failure>(late.as_secs_f64() * 1e3)
    };
    let mut late = Vec::new();
    // Ten at a time: the crash of a worker leaves several locks.
    for round in 0..count / 10 {
        late.extend(try_join_all((0..10).map(|number| crash(round * 10 + number))).await?);
    }
    late.sort_by(f64::total_cmp);
    holders.close().await;
    waiters.close().await;
    Ok(vec![
        Row::alone(BENCH, "later than the ttl of 500 ms, p50", "ms", &[quantile(&late, 0.5)]),
        Row::alone(BENCH, "later than the ttl of 500 ms, p99", "ms", &[quantile(&late, 0.99)]).worst_at_most(50.0),
    ])
}
