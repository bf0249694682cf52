use std::{future::Future, sync::Arc, time::Duration};

use celeriac_broker::Broker;
use celeriac_mutex::{Kind, LockKey, Locks};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::hub::Hub;

/// How often the broker and the store for locks are asked.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// How long an answer may take: a broker that needs longer serves nobody.
const IN_TIME: Duration = Duration::from_secs(3);

/// How often the event loop ticks.
const TICK: Duration = Duration::from_secs(1);

/// Says that the event loop turns, until dropped.
pub(super) async fn tick(hub: Arc<Hub>, stopping: CancellationToken) {
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
        hub.health.tick();
        if stopping.is_cancelled() {
            hub.health.stop();
        }
    }
}

/// Sends messages to itself, until dropped.
pub(super) async fn broker(hub: Arc<Hub>, broker: Broker) {
    let transport = broker.transport().clone();
    let ask = || transport.canary();
    repeat(ask, |answer| hub.health.found_broker(answer)).await;
}

/// Asks the store for locks about a lock that nobody holds, until dropped.
pub(super) async fn locks(hub: Arc<Hub>, locks: Locks) {
    let key = LockKey::new(Kind::Mutex, "celeriac.health");
    let ask = || locks.inspect(&key);
    repeat(ask, |answer| hub.health.found_locks(answer)).await;
}

async fn repeat<T, E: std::error::Error, F: Future<Output = Result<T, E>>>(
    ask: impl Fn() -> F,
    found: impl Fn(Result<Duration, String>),
) {
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        found(match timeout(IN_TIME, ask()).await {
            Ok(Ok(_)) => Ok(asked.elapsed()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", IN_TIME.as_secs())),
        });
    }
}
