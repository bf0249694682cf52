mod locks;
#[cfg(feature = "metrics")]
mod metrics;
mod outside;

pub use outside::{Described, DescribedPool};

use std::{
    collections::{HashMap, HashSet},
    fmt,
    future::Future,
    sync::Arc,
    time::Duration,
};

use celeriac_broker::{Broker, Queue, QueueName, TaskOptions};
use celeriac_mutex::Locks;

use super::{
    BuildState, Worker,
    pools::{PoolSpec, Threads},
};
use tokio::sync::mpsc;

use crate::{Error, Handler, Middleware, Pool, harness::Record, metrics::Setup, registry::Registry};

/// A worker in the making. Nothing connects before it runs.
#[must_use]
pub struct WorkerBuilder<S = ()> {
    broker: Option<Broker>,
    broker_url: Option<String>,
    build_state: BuildState<S>,
    registry: Registry<S>,
    middleware: Vec<Arc<dyn Middleware<S>>>,
    pools: Vec<(Vec<(String, u32)>, Pool)>,
    queues: Vec<Queue>,
    queue_defaults: Vec<(String, TaskOptions)>,
    locks: Option<Locks>,
    locks_url: Option<String>,
    only_queues: Option<Vec<String>>,
    concurrency: Option<u16>,
    prefetch: Option<u16>,
    max_deliveries: u32,
    shutdown_timeout: Duration,
    threads: Threads,
    metrics: Setup,
    records: Option<mpsc::UnboundedSender<Record>>,
}

impl WorkerBuilder<()> {
    pub(super) fn new() -> Self {
        Self {
            broker: None,
            broker_url: None,
            build_state: Box::new(|| Box::pin(async { Ok(()) })),
            registry: Registry::new(),
            middleware: Vec::new(),
            pools: Vec::new(),
            queues: Vec::new(),
            queue_defaults: Vec::new(),
            locks: None,
            locks_url: None,
            only_queues: None,
            concurrency: None,
            prefetch: None,
            max_deliveries: Worker::<()>::DEFAULT_MAX_DELIVERIES,
            shutdown_timeout: Worker::<()>::DEFAULT_SHUTDOWN_TIMEOUT,
            threads: Threads::PerPool,
            metrics: Setup::default(),
            records: None,
        }
    }

    /// Says how to build what handlers share: clients, connections, settings. Called once per process, when the worker runs.
    ///
    /// Give it before [`register`](Self::register): handlers name its type in their `Context<..>`.
    pub fn state<S, E, F>(self, build: impl FnOnce() -> F + Send + 'static) -> WorkerBuilder<S>
    where
        S: Send + Sync + 'static,
        E: fmt::Display,
        F: Future<Output = Result<S, E>> + Send + 'static,
    {
        WorkerBuilder {
            build_state: Box::new(|| {
                let building = build();
                Box::pin(async move { building.await.map_err(|error| Error::State(error.to_string())) })
            }),
            registry: Registry::new(),
            middleware: Vec::new(),
            broker: self.broker,
            broker_url: self.broker_url,
            pools: self.pools,
            queues: self.queues,
            queue_defaults: self.queue_defaults,
            locks: self.locks,
            locks_url: self.locks_url,
            only_queues: self.only_queues,
            concurrency: self.concurrency,
            prefetch: self.prefetch,
            max_deliveries: self.max_deliveries,
            shutdown_timeout: self.shutdown_timeout,
            threads: self.threads,
            metrics: self.metrics,
            records: self.records,
        }
    }
}

impl<S: Send + Sync + 'static> WorkerBuilder<S> {
    /// The broker's address. Default: `CELERIAC_BROKER_URL`, else `sqlite://celeriac.db`.
    pub fn broker_url(mut self, url: &str) -> Self {
        self.broker_url = Some(url.to_owned());
        self
    }

    /// A broker that is already there, instead of an address.
    pub fn broker(mut self, broker: Broker) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Runs `T`'s tasks.
    pub fn register<T: Handler<S>>(mut self) -> Self {
        self.registry.register::<T>();
        self
    }

    /// Runs the tasks of `queue` in slots of their own.
    pub fn pool(self, queue: impl Into<String>, pool: Pool) -> Self {
        self.shared_pool([(queue, 1)], pool)
    }

    /// Runs the tasks of several queues in the same slots. While all have work, each gets its weight's share;
    /// a slot never idles while one of them has.
    pub fn shared_pool<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = (Q, u32)>, pool: Pool) -> Self {
        self.pools.push((queues.into_iter().map(|(queue, weight)| (queue.into(), weight)).collect(), pool));
        self
    }

    /// Describes a queue that differs from the default.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queues.push(queue);
        self
    }

    /// Options for the tasks of `queue` where they don't say themselves.
    pub fn queue_defaults(mut self, queue: impl Into<String>, options: TaskOptions) -> Self {
        self.queue_defaults.push((queue.into(), options));
        self
    }

    /// Runs `middleware` around every task, after those added before.
    pub fn middleware(mut self, middleware: impl Middleware<S>) -> Self {
        self.middleware.push(Arc::new(middleware));
        self
    }

    /// How many deliveries of one attempt may end with their worker's death before it becomes a dead letter; at least 1.
    /// Default: 5.
    pub fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.max_deliveries = deliveries;
        self
    }

    /// How long runs in progress may go on after the worker was asked to stop. Default: 25 s.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Leaves out the pools of other queues than these; a queue without a pool gets one.
    pub fn only_queues(mut self, queues: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.only_queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// Every pool's concurrency, whatever the pools say.
    pub fn concurrency(mut self, tasks: u16) -> Self {
        self.concurrency = Some(tasks);
        self
    }

    /// Every pool's prefetch, whatever the pools say.
    pub fn prefetch(mut self, deliveries: u16) -> Self {
        self.prefetch = Some(deliveries);
        self
    }

    /// Runs handlers on the caller's runtime instead of threads of each pool's own. A handler that blocks then blocks
    /// the caller; for tests, whose time may be paused.
    pub fn on_callers_runtime(mut self) -> Self {
        self.threads = Threads::Callers;
        self
    }

    pub(crate) fn record(mut self, records: mpsc::UnboundedSender<Record>) -> Self {
        self.records = Some(records);
        self
    }

    /// Checks the settings. No I/O.
    ///
    /// # Errors
    /// [`Error::DuplicateTask`], [`Error::NoPool`], [`Error::NoLocks`], [`Error::Config`], [`Error::Broker`] for an address that can't be read.
    pub fn build(self) -> Result<Worker<S>, Error> {
        self.registry.check()?;
        if self.max_deliveries == 0 {
            return Err(Error::config("max_deliveries", "0 would run nothing; give at least 1"));
        }
        let pools = self.pool_specs()?;
        self.check_limits()?;
        let names: HashSet<&str> = pools.iter().flat_map(PoolSpec::queues).map(|queue| queue.name.as_str()).collect();
        if self.only_queues.is_none() {
            for runnable in self.registry.iter() {
                let queue = runnable.options().queue.unwrap_or(TaskOptions::DEFAULT_QUEUE);
                if !names.contains(queue) {
                    return Err(Error::NoPool { task: runnable.name().to_owned(), queue: queue.to_owned() });
                }
            }
        }
        let queue_defaults = self
            .queue_defaults
            .iter()
            .map(|(queue, options)| Ok((QueueName::new(queue)?, *options)))
            .collect::<Result<HashMap<_, _>, celeriac_broker::Error>>()?;
        let broker = self.make_broker()?;
        let home = self.home(&broker, &names)?;
        let meter = self.metrics.clone().meter(&self.registry, &pools, &broker, home.as_ref())?;
        Ok(Worker {
            home,
            broker,
            build_state: self.build_state,
            registry: self.registry,
            middleware: self.middleware,
            pools,
            queue_defaults,
            max_deliveries: self.max_deliveries,
            shutdown_timeout: self.shutdown_timeout,
            threads: self.threads,
            meter,
            records: self.records,
        })
    }

    fn make_broker(&self) -> Result<Broker, Error> {
        if let Some(broker) = &self.broker {
            return Ok(broker.clone());
        }
        let mut builder = Broker::builder();
        for queue in &self.queues {
            builder = builder.queue(queue.clone());
        }
        if let Some(url) = &self.broker_url {
            builder = builder.url(url);
        }
        Ok(builder.build()?)
    }

    /// The pools as they are to run: their queues described, flags applied.
    fn pool_specs(&self) -> Result<Vec<PoolSpec>, Error> {
        let mut pools = self.pools.clone();
        if let Some(only) = &self.only_queues {
            for (queues, _) in &mut pools {
                queues.retain(|(queue, _)| only.contains(queue));
            }
            pools.retain(|(queues, _)| !queues.is_empty());
            for queue in only {
                if !pools.iter().any(|(queues, _)| queues.iter().any(|(name, _)| name == queue)) {
                    let cores =
                        std::thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(1));
                    pools.push((vec![(queue.clone(), 1)], Pool::new(cores)));
                }
            }
        }
        if pools.is_empty() {
            return Err(Error::config("pool", "the worker has no pool; add .pool(\"queue\", Pool::new(n))"));
        }
        let mut seen = HashSet::new();
        let mut specs = Vec::with_capacity(pools.len());
        for (queues, mut pool) in pools {
            pool.concurrency = self.concurrency.unwrap_or(pool.concurrency);
            pool.prefetch = self.prefetch.or(pool.prefetch);
            if pool.concurrency == 0 || pool.prefetch == Some(0) {
                let queue = queues.first().map_or("", |(queue, _)| queue);
                return Err(Error::config(format!("pool {queue}"), "concurrency and prefetch are at least 1"));
            }
            let mut described = Vec::with_capacity(queues.len());
            for (name, weight) in queues {
                if weight == 0 {
                    return Err(Error::config(
                        format!("pool {name}"),
                        "a weight of 0 would never run the queue; give at least 1",
                    ));
                }
                if !seen.insert(name.clone()) {
                    return Err(Error::config(format!("pool {name}"), "the queue is in two pools"));
                }
                described.push((self.describe(&name)?, weight));
            }
            specs.push(PoolSpec { queues: described, pool });
        }
        Ok(specs)
    }

    fn describe(&self, name: &str) -> Result<Queue, Error> {
        if let Some(queue) = self.queues.iter().rev().find(|queue| queue.name.as_str() == name) {
            return Ok(queue.clone());
        }
        Ok(match &self.broker {
            Some(broker) => broker.queue(name)?,
            None => Queue::new(name)?,
        })
    }

    fn check_limits(&self) -> Result<(), Error> {
        let families = self.registry.iter().map(|runnable| (runnable.name().to_owned(), *runnable.options()));
        let queues = self.queue_defaults.iter().map(|(queue, options)| (format!("queue {queue}"), *options));
        for (subject, options) in families.chain(queues) {
            if let (Some(soft), Some(hard)) = (options.soft_time_limit, options.time_limit)
                && soft >= hard
            {
                let fault = format!("the soft limit of {soft:?} must be below the hard limit of {hard:?}");
                return Err(Error::config(format!("{subject}: time_limit"), fault));
            }
            if options.time_limit.is_some_and(|limit| limit.is_zero())
                || options.soft_time_limit.is_some_and(|limit| limit.is_zero())
            {
                return Err(Error::config(
                    format!("{subject}: time_limit"),
                    "0 would stop every run at once; leave it out for no limit",
                ));
            }
        }
        Ok(())
    }
}

impl<S> fmt::Debug for WorkerBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBuilder").field("pools", &self.pools).finish_non_exhaustive()
    }
}
