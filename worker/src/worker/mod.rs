//! A process's pools and handlers.

mod builder;
mod drain;
mod idle;
mod overlong;
mod pools;

pub use builder::{Described, DescribedPool, WorkerBuilder};

use std::{collections::HashMap, fmt, future::Future, sync::Arc, time::Duration};

use celeriac_broker::{Broker, Queue, QueueName, TaskOptions};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

pub(crate) use self::pools::PoolSpec;
use self::pools::{Pools, Threads};
use crate::{
    DrainReport, Error, Middleware,
    harness::Record,
    leases::Home,
    metrics::Meter,
    registry::Registry,
    running::Running,
    shared::{Shared, Stop},
    signals::StopRequests,
    tally::Counters,
    watchdog,
};

/// Builds the state, once per process.
type BuildState<S> = Box<dyn FnOnce() -> BoxFuture<'static, Result<S, Error>> + Send>;

/// A process's pools and handlers.
///
/// ```no_run
/// # use celeriac_broker::{Arg, Task, TaskError};
/// # use celeriac_worker::{Context, Error, Handler, Pool, Worker};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Add { x: i64, y: i64 }
/// # impl Task for Add {
/// #     const NAME: &'static str = "math.add";
/// #     const ARGS: &'static [Arg] = &[Arg::required("x"), Arg::required("y")];
/// #     type Output = i64;
/// # }
/// # impl Handler<()> for Add {
/// #     async fn run(self, _: Context<()>) -> Result<i64, TaskError> { Ok(self.x + self.y) }
/// # }
/// # async fn example() -> Result<(), Error> {
/// let report = Worker::builder().register::<Add>().pool("celeriac", Pool::new(8)).build()?.run().await?;
/// println!("{report}");
/// # Ok(()) }
/// ```
#[must_use = "a worker does nothing before `run`"]
pub struct Worker<S = ()> {
    broker: Broker,
    build_state: BuildState<S>,
    registry: Registry<S>,
    middleware: Vec<Arc<dyn Middleware<S>>>,
    pools: Vec<PoolSpec>,
    queue_defaults: HashMap<QueueName, TaskOptions>,
    max_deliveries: u32,
    home: Option<Home>,
    shutdown_timeout: Duration,
    threads: Threads,
    meter: Meter,
    records: Option<mpsc::UnboundedSender<Record>>,
}

impl Worker<()> {
    /// A worker without state, to which everything else is added. No I/O before [`run`](Worker::run).
    pub fn builder() -> WorkerBuilder<()> {
        WorkerBuilder::new()
    }
}

impl<S: Send + Sync + 'static> Worker<S> {
    /// How many workers may die with a task before it becomes a dead letter: 5.
    pub const DEFAULT_MAX_DELIVERIES: u32 = 5;

    /// How long runs in progress may go on after the worker was asked to stop: 25 s, below the 30 s that Kubernetes allows.
    pub const DEFAULT_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

    /// Runs until SIGTERM or SIGINT: then fetches no more, lets what runs finish for up to the shutdown timeout, and gives
    /// the rest back, no attempt counted. A second signal gives back at once.
    ///
    /// # Errors
    /// [`Error::Broker`] when the broker refuses this worker at the start, [`Error::State`], [`Error::System`].
    /// A broker that is down is waited for.
    ///
    /// # Cancel safety
    /// A dropped future drops every run; their messages come back, counted as a worker's death.
    pub async fn run(self) -> Result<DrainReport, Error> {
        let requests = StopRequests::signals()?;
        self.drive(requests, false).await
    }

    /// As [`run`](Self::run), until `shutdown` resolves instead of a signal.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<DrainReport, Error> {
        self.drive(StopRequests::once(shutdown), false).await
    }

    /// As [`run`](Self::run), until nothing is ready, running, delayed or deferred in any of its queues, or a signal.
    ///
    /// RabbitMQ can't tell delayed messages apart by their queue: every one of the virtual host is waited for. What runs in
    /// other processes is known only where its management API is.
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`Error::Config`] where the broker can't tell what is delayed.
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn run_until_idle(self) -> Result<DrainReport, Error> {
        let requests = StopRequests::signals()?;
        self.drive(requests, true).await
    }

    pub(crate) async fn drive(self, mut requests: StopRequests, until_idle: bool) -> Result<DrainReport, Error> {
        let shared = Arc::new(Shared {
            broker: self.broker,
            state: Arc::new((self.build_state)().await?),
            registry: self.registry,
            middleware: self.middleware,
            queue_defaults: self.queue_defaults,
            max_deliveries: self.max_deliveries,
            home: self.home.map(Arc::new),
            running: Running::new(),
            counters: Counters::default(),
            stop: Stop::default(),
            meter: self.meter,
            records: self.records,
        });
        let _metrics = shared.meter.begin(&shared).await?;
        let queues: Vec<Queue> = self.pools.iter().flat_map(PoolSpec::queues).cloned().collect();
        let Some(pools) = Pools::start(&shared, &self.pools, self.threads, &mut requests).await? else {
            return Ok(DrainReport::default());
        };
        shared.meter.started();
        tracing::info!(broker = shared.broker.address(), queues = ?queues.iter().map(|queue| queue.name.as_str()).collect::<Vec<_>>(), "worker started");
        overlong::warn(&shared, &queues).await;
        let idle =
            async { if until_idle { idle::reached(&shared, &queues).await } else { std::future::pending().await } };
        let ended = tokio::select! {
            biased;
            () = requests.next() => Ok(()),
            reached = idle => reached,
            () = pools.ended() => Ok(()),
            () = watchdog::watch(shared.clone()) => Ok(()),
        };
        let report = drain::drain(&shared, pools, &mut requests, self.shutdown_timeout).await;
        // A handler that still holds its thread still does what its leases are for; they end by their ttl.
        if let Some(home) = shared.home.as_ref().filter(|home| home.own && report.stuck.is_empty()) {
            home.locks.close().await;
        }
        ended.map(|()| report)
    }
}

impl<S> fmt::Debug for Worker<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("broker", &self.broker).field("pools", &self.pools).finish_non_exhaustive()
    }
}
