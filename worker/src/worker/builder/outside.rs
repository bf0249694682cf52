//! For programs that put settings from outside (flags, environment, files) over those of the code.

use std::time::Duration;

use celeriac_broker::{Broker, Queue, TaskOptions};
use celeriac_mutex::Locks;

use super::WorkerBuilder;

/// What the code has set so far.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Described {
    /// The broker that was handed over.
    pub broker: Option<Broker>,
    /// The broker's address.
    pub broker_url: Option<String>,
    /// The locks that were handed over.
    pub locks: Option<Locks>,
    /// Where the tasks' leases are kept.
    pub locks_url: Option<String>,
    /// The pools.
    pub pools: Vec<DescribedPool>,
    /// The queues that differ from the default.
    pub queues: Vec<Queue>,
    /// Options by queue.
    pub queue_defaults: Vec<(String, TaskOptions)>,
    /// How long runs in progress may go on after the worker was asked to stop.
    pub shutdown_timeout: Duration,
    /// Where metrics and probes are served.
    #[cfg(feature = "metrics")]
    pub metrics_addr: Option<String>,
}

/// A pool of the code's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DescribedPool {
    /// The queues whose tasks it runs.
    pub queues: Vec<String>,
    /// How many tasks it runs at once.
    pub concurrency: u16,
    /// How many deliveries may be unsettled at once; `None`: the concurrency.
    pub prefetch: Option<u16>,
}

impl<S: Send + Sync + 'static> WorkerBuilder<S> {
    /// What the code has set so far.
    pub fn described(&self) -> Described {
        let pools = self.pools.iter().map(|(queues, pool)| DescribedPool {
            queues: queues.iter().map(|(queue, _)| queue.clone()).collect(),
            concurrency: pool.concurrency,
            prefetch: pool.prefetch,
        });
        Described {
            broker: self.broker.clone(),
            broker_url: self.broker_url.clone(),
            locks: self.locks.clone(),
            locks_url: self.locks_url.clone(),
            pools: pools.collect(),
            queues: self.queues.clone(),
            queue_defaults: self.queue_defaults.clone(),
            shutdown_timeout: self.shutdown_timeout,
            #[cfg(feature = "metrics")]
            metrics_addr: self.metrics.address.clone(),
        }
    }

    /// Changes the concurrency and the prefetch of the pool that runs `queue`; nothing where no pool does.
    pub fn resize_pool(mut self, queue: &str, concurrency: Option<u16>, prefetch: Option<u16>) -> Self {
        let runs = |queues: &[(String, u32)]| queues.iter().any(|(name, _)| name == queue);
        if let Some((_, pool)) = self.pools.iter_mut().find(|(queues, _)| runs(queues)) {
            pool.concurrency = concurrency.unwrap_or(pool.concurrency);
            pool.prefetch = prefetch.or(pool.prefetch);
        }
        self
    }
}
