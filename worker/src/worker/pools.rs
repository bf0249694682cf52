use std::{sync::Arc, time::Duration};

use celeriac_broker::{Consumer, Delivery, Error as BrokerError, Jitter, Queue, RetryPolicy, transport::Subscription};
use tokio::{
    runtime::{Handle, Runtime},
    sync::Semaphore,
};
use tokio_util::task::TaskTracker;

use crate::{
    Error, Pool,
    decide::Decision,
    execution::{Original, execute, settle},
    metrics::{Slots, Watched},
    shared::Shared,
    signals::StopRequests,
    sources::Sources,
};

/// One pool and the queues whose tasks it runs, each with its weight.
#[derive(Debug, Clone)]
pub(crate) struct PoolSpec {
    pub(crate) queues: Vec<(Queue, u32)>,
    pub(crate) pool: Pool,
}

impl PoolSpec {
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter().map(|(queue, _)| queue)
    }
}

/// Which threads run a pool's handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// Threads of each pool's own: a handler that blocks them stops its own pool only.
    PerPool,
    /// The caller's runtime; for tests, whose time may be paused.
    Callers,
}

/// Pools that run.
pub(crate) struct Pools {
    tracker: TaskTracker,
    runtimes: Vec<PoolRuntime>,
}

/// A pool's threads. They are left behind, not awaited, when they are dropped: one may be blocked for ever.
struct PoolRuntime(Option<Runtime>);

impl PoolRuntime {
    fn new(name: &str, pool: Pool) -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        tokio::runtime::Builder::new_multi_thread()
            // One more than can be of use: a blocked handler must not stop the future that fetches.
            .worker_threads(usize::from(pool.concurrency).min(cores) + 1)
            .thread_name(format!("pool-{name}"))
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|source| Error::System { what: "a pool's threads", source })
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for PoolRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// How long to wait before a broker that was down at the start is tried again.
const AGAIN: RetryPolicy =
    RetryPolicy::checked(u32::MAX, Duration::from_millis(200), Duration::from_secs(5), Jitter::Equal);

impl Pools {
    /// Subscribes to every queue and starts the pools; `None` when the worker was asked to stop meanwhile.
    pub(crate) async fn start<S: Send + Sync + 'static>(
        shared: &Arc<Shared<S>>,
        specs: &[PoolSpec],
        threads: Threads,
        requests: &mut StopRequests,
    ) -> Result<Option<Self>, Error> {
        let subscribing = futures_util::future::try_join_all(specs.iter().map(|spec| subscribe(shared, spec)));
        let subscribed = tokio::select! {
            biased;
            () = requests.next() => return Ok(None),
            subscribed = subscribing => subscribed?,
        };
        let mut pools = Self { tracker: TaskTracker::new(), runtimes: Vec::new() };
        for (spec, consumers) in specs.iter().zip(subscribed) {
            let name = spec.queues.first().map_or("", |(queue, _)| queue.name.as_str());
            let runtime = match threads {
                Threads::PerPool => PoolRuntime::new(name, spec.pool)?,
                Threads::Callers => PoolRuntime(None),
            };
            let handle = runtime.handle();
            pools.runtimes.push(runtime);
            let busy = shared.meter.pool(spec);
            let pool = run(shared.clone(), consumers, spec.pool.concurrency, busy, pools.tracker.clone());
            pools.tracker.spawn_on(pool, &handle);
        }
        pools.tracker.close();
        Ok(Some(pools))
    }

    /// Resolves when every pool and every run has ended.
    pub(crate) async fn ended(&self) {
        self.tracker.wait().await;
    }
}

async fn subscribe<S>(shared: &Shared<S>, spec: &PoolSpec) -> Result<Vec<(Watched, u32)>, Error> {
    let mut consumers = Vec::with_capacity(spec.queues.len());
    for (queue, weight) in &spec.queues {
        // Queues that share slots need one more each: a queue with nothing at hand when a slot frees would lose its turn.
        let ahead = u16::from(spec.queues.len() > 1);
        let subscription = Subscription::new(queue.clone(), spec.pool.effective_prefetch().saturating_add(ahead));
        let consumer = consume(shared, subscription).await?;
        consumers.push((shared.meter.watch(&queue.name, consumer), *weight));
    }
    Ok(consumers)
}

/// Waits for a broker that is down; a broker that says no is an error at once.
async fn consume<S>(shared: &Shared<S>, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
    for attempt in 1.. {
        match shared.broker.transport().consume(subscription.clone()).await {
            Ok(consumer) => return Ok(consumer),
            Err(error @ (BrokerError::Unreachable { .. } | BrokerError::Blocked { .. })) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the broker can't be reached; trying again");
                let delay = AGAIN.delay(attempt, None, &mut rand::rng());
                tokio::time::sleep(delay.unwrap_or(AGAIN.backoff.cap)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(BrokerError::Closed.into())
}

/// Runs what the sources deliver, `concurrency` at once, until the worker stops fetching; then gives back what was
/// fetched and not started.
async fn run<S: Send + Sync + 'static>(
    shared: Arc<Shared<S>>,
    consumers: Vec<(Watched, u32)>,
    concurrency: u16,
    busy: Slots,
    tracker: TaskTracker,
) {
    let mut sources = Sources::new(consumers, &shared.stop.fetching);
    let slots = Arc::new(Semaphore::new(concurrency.into()));
    let stop = shared.stop.fetching.clone();
    let fetching = async {
        // The semaphore is never closed.
        while let Ok(slot) = slots.clone().acquire_owned().await {
            let Some(delivery) = sources.next().await else { return };
            let (shared, taken) = (shared.clone(), busy.take());
            // Boxed: tokio moves what it spawns several times.
            tracker.spawn(Box::pin(async move {
                execute(shared, delivery).await;
                drop((taken, slot));
            }));
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = fetching => {}
    }
    give_back(&shared, sources.stop().await).await;
}

async fn give_back<S>(shared: &Shared<S>, unstarted: Vec<Delivery>) {
    for delivery in unstarted {
        settle(shared, Original::Held(delivery), Decision::GiveBack).await;
    }
}
