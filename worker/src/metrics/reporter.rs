use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use celeriac_broker::{Broker, QueueName};
use celeriac_mutex::{Kind, Locks, MutexGuard, store::LockSummary};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::hub::{Hub, QueueSight, REPORTER};

/// How often queues and locks are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long one look may take. What is not answered by then is not known.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many locks of a store are looked at. Beyond that, what would be shown were too little.
const MOST_LOCKS: usize = 10_000;

/// What one look saw of all keys of a lock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LockSight {
    pub(super) limit: u64,
    pub(super) used: u64,
    pub(super) waiting: u64,
}

/// A lock that tasks declare: its kind, its name, its leases.
pub(super) type Declared = (Kind, &'static str, u32);

/// Looks at queues and locks in the stead of all workers that share a store for locks, as far as it is the one elected for each;
/// where none is shared, every worker looks.
pub(super) struct Reporter {
    pub(super) hub: Arc<Hub>,
    pub(super) broker: Broker,
    pub(super) locks: Option<Locks>,
    pub(super) queues: Vec<QueueName>,
    pub(super) declared: Vec<Declared>,
}

impl Reporter {
    pub(super) async fn run(self) {
        let mut elected: HashMap<String, MutexGuard> = HashMap::new();
        // What there is to see begins with the worker's own consumers.
        self.hub.health.begun().await;
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for queue in &self.queues {
                let reports = self.leads(&mut elected, format!("queue:{queue}")).await;
                let sight = if reports { self.queue(queue).await } else { QueueSight::default() };
                self.hub.sights().queues.insert(queue.clone(), QueueSight { reports, ..sight });
            }
            let mut mine = Vec::with_capacity(self.declared.len());
            for (kind, name, leases) in &self.declared {
                if self.leads(&mut elected, format!("{kind}:{name}")).await {
                    mine.push((*kind, *name, *leases));
                }
            }
            let seen = if mine.is_empty() { None } else { self.list().await };
            let seen = seen.map(|all| mine.into_iter().map(|lock| ((lock.0, lock.1), sum(lock, &all))).collect());
            self.hub.sights().locks = seen.unwrap_or_default();
        }
    }

    /// Whether it is this worker that reports `subject`.
    async fn leads(&self, elected: &mut HashMap<String, MutexGuard>, subject: String) -> bool {
        let Some(locks) = self.locks.as_ref().filter(|locks| locks.capabilities().shared) else { return true };
        if elected.get(&subject).is_some_and(|guard| guard.ensure_valid().is_ok()) {
            return true;
        }
        elected.remove(&subject);
        let mutex = locks.mutex(REPORTER).key((self.broker.address(), subject.as_str()));
        match answer(mutex.try_lock()).await.flatten() {
            Some(guard) => elected.insert(subject, guard).is_none(),
            None => false,
        }
    }

    async fn queue(&self, name: &QueueName) -> QueueSight {
        let transport = self.broker.transport();
        let info = answer(transport.queue(name)).await.flatten();
        let dead = match name.dead() {
            Ok(dead) => answer(transport.queue(&dead)).await.flatten().and_then(|info| info.ready),
            Err(_) => None,
        };
        // A broker on the network can't tell ages: of an empty queue it would be known, and of no other.
        let tells = !transport.capabilities().distributed;
        let empty = |ready| (tells && ready == Some(0)).then_some(Duration::ZERO);
        let oldest = info.as_ref().and_then(|info| info.oldest.or_else(|| empty(info.ready)));
        QueueSight { reports: true, info, dead, oldest }
    }

    async fn list(&self) -> Option<Vec<LockSummary>> {
        let all = answer(self.locks.as_ref()?.list(MOST_LOCKS)).await?;
        (all.len() < MOST_LOCKS).then_some(all)
    }
}

/// All keys of a lock together. Where none is in use, its limit is that of one key.
fn sum((kind, name, leases): Declared, all: &[LockSummary]) -> LockSight {
    let keys = || all.iter().filter(|lock| lock.key.kind() == kind && lock.key.name() == name);
    let mut sight = LockSight::default();
    for lock in keys().filter(|lock| lock.used > 0 || lock.waiting > 0) {
        sight.limit += u64::from(lock.leases);
        sight.used += u64::from(lock.used);
        sight.waiting += lock.waiting;
    }
    if sight.limit == 0 {
        sight.limit = keys().map(|lock| lock.leases).max().unwrap_or(leases).into();
    }
    sight
}

/// What came in time, and was no error.
async fn answer<T, E: std::error::Error + 'static>(asked: impl Future<Output = Result<T, E>>) -> Option<T> {
    match timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "not known for metrics");
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use celeriac_mutex::LockKey;

    use super::*;

    fn lock(name: &str, part: &str, leases: u32, used: u32, waiting: u64) -> LockSummary {
        LockSummary { key: LockKey::new(Kind::Semaphore, name).part(part), leases, used, waiting }
    }

    #[test]
    fn the_keys_of_a_lock_that_are_in_use_are_counted_together() {
        let all = [
            lock("dms", "eu", 3, 2, 0),
            lock("dms", "us", 3, 0, 4),
            lock("dms", "idle", 9, 0, 0),
            lock("x", "", 1, 1, 1),
        ];
        let seen = sum((Kind::Semaphore, "dms", 3), &all);
        assert_eq!(seen, LockSight { limit: 6, used: 2, waiting: 4 });
        assert_eq!(sum((Kind::Semaphore, "dms", 3), &all[2..]).limit, 9, "an operator has changed it");
        assert_eq!(sum((Kind::Semaphore, "dms", 3), &[]), LockSight { limit: 3, used: 0, waiting: 0 });
    }
}
