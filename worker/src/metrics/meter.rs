use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use celeriac_broker::{Broker, Consumer, Delivery, Error as BrokerError, LockKind, Outcome, QueueName, Reason};
use celeriac_mutex::Kind;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    Metrics,
    book::{Book, Cell, Names},
    checks,
    hub::{About, REPORTER, Run, Runs},
    reporter::{Declared, Reporter},
    watched::Watched,
};
use crate::{Error, execution::Original, leases::Home, registry::Registry, shared::Shared, watchdog, worker::PoolSpec};

/// What a builder was told about metrics.
#[derive(Debug, Default, Clone)]
pub(crate) struct Setup {
    pub(crate) metrics: Option<Metrics>,
    pub(crate) address: Option<String>,
}

/// What runs report of themselves; nothing where nobody asked.
#[derive(Debug, Default)]
pub(crate) struct Meter(Option<Arc<On>>);

#[derive(Debug)]
struct On {
    metrics: Metrics,
    book: Book,
    address: Option<String>,
    queues: Vec<QueueName>,
    declared: Vec<Declared>,
}

impl Setup {
    /// Begins all that the worker may count.
    pub(crate) fn meter<S: Send + Sync + 'static>(
        self,
        registry: &Registry<S>,
        pools: &[PoolSpec],
        broker: &Broker,
        home: Option<&Home>,
    ) -> Result<Meter, Error> {
        let metrics = match self.metrics {
            Some(metrics) => metrics,
            None if self.address.is_some() => Metrics::register(&prometheus::Registry::new())?,
            None => return Ok(Meter::default()),
        };
        let queues: Vec<QueueName> = pools.iter().flat_map(PoolSpec::queues).map(|queue| queue.name.clone()).collect();
        let locks = home.map(|home| home.locks.clone());
        let declared = declared(registry);
        if let Some(locks) = &locks {
            locks.count(Kind::Mutex, REPORTER);
            for (kind, name, _) in &declared {
                locks.count(*kind, name);
            }
        }
        let names = Names { tasks: registry.names().collect(), queues: queues.clone() };
        let hub = &metrics.hub;
        let book = Book::new(hub.counters.clone(), &names);
        hub.health.with_locks(locks.is_some());
        let place = match &locks {
            None => "none",
            Some(locks) if locks.capabilities().shared => "shared",
            Some(_) => "local",
        };
        let info = [
            crate::identity::worker().to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
            queues.iter().map(QueueName::as_str).collect::<Vec<_>>().join(","),
            broker.transport().capabilities().name.to_owned(),
            place.to_owned(),
        ];
        if !hub.describe(About { tasks: book.tasks().collect(), broker: broker.clone(), locks, info }) {
            return Err(Error::config("metrics", "they are another worker's already; register one for each"));
        }
        Ok(Meter(Some(Arc::new(On { metrics, book, address: self.address, queues, declared }))))
    }
}

/// The locks that tasks declare, each once.
fn declared<S: Send + Sync + 'static>(registry: &Registry<S>) -> Vec<Declared> {
    let all = registry.iter().flat_map(|runnable| runnable.declared());
    let mut declared: Vec<Declared> = all
        .filter_map(|lock| match lock.kind {
            LockKind::Mutex => Some((Kind::Mutex, lock.name, lock.leases)),
            LockKind::Semaphore => Some((Kind::Semaphore, lock.name, lock.leases)),
            _ => None,
        })
        .collect();
    declared.sort_unstable();
    declared.dedup_by_key(|lock| (lock.0, lock.1));
    declared
}

impl Meter {
    fn on(&self) -> Option<&On> {
        self.0.as_deref()
    }

    /// Begins to serve, to check and to report, until what is returned is dropped.
    pub(crate) async fn begin<S: Send + Sync + 'static>(&self, shared: &Arc<Shared<S>>) -> Result<JoinSet<()>, Error> {
        let mut running = JoinSet::new();
        let Some(on) = self.on() else { return Ok(running) };
        let hub = &on.metrics.hub;
        let shared_runs: Arc<dyn Runs> = shared.clone();
        hub.watch(Arc::downgrade(&shared_runs));
        hub.health.tick();
        if let Some(address) = &on.address {
            let bound = TcpListener::bind(address.as_str()).await;
            let listener = bound.map_err(|source| Error::System { what: "the address for metrics", source })?;
            tracing::info!(address = listener.local_addr().ok().map(tracing::field::display), "metrics are served");
            let router = on.metrics.router();
            running.spawn(async move {
                if let Err(error) = axum::serve(listener, router).await {
                    tracing::error!(%error, "metrics are served no more");
                }
            });
        }
        let broker = shared.broker.clone();
        let locks = shared.home.as_ref().map(|home| home.locks.clone());
        running.spawn(checks::tick(hub.clone(), shared.stop.fetching.clone()));
        running.spawn(checks::broker(hub.clone(), broker.clone()));
        if let Some(locks) = locks.clone() {
            running.spawn(checks::locks(hub.clone(), locks));
        }
        let (queues, declared) = (on.queues.clone(), on.declared.clone());
        running.spawn(Reporter { hub: hub.clone(), broker, locks, queues, declared }.run());
        Ok(running)
    }

    /// The worker consumes.
    pub(crate) fn started(&self) {
        if let Some(on) = self.on() {
            on.metrics.hub.health.start();
        }
    }

    /// The slots of a pool.
    pub(crate) fn pool(&self, spec: &PoolSpec) -> Slots {
        let Some(on) = self.on() else { return Slots(None) };
        let name = spec.queues().map(|queue| queue.name.as_str()).collect::<Vec<_>>().join("+");
        Slots(Some(on.metrics.hub.pool(name, spec.pool.concurrency)))
    }

    /// A consumer whose registration readiness depends on.
    pub(crate) fn watch(&self, queue: &QueueName, consumer: Box<dyn Consumer>) -> Watched {
        let Some(on) = self.on() else { return Watched::unseen(consumer) };
        let (watched, connected) = Watched::new(consumer);
        on.metrics.hub.health.mind(queue.clone(), connected);
        watched
    }

    /// A slot has taken a delivery.
    pub(crate) fn received(&self, delivery: &Delivery, now: SystemTime) {
        if let Some(on) = self.on() {
            on.book.received(delivery, now);
        }
    }

    /// A handler ran for so long.
    pub(crate) fn ran(&self, task: &str, elapsed: Duration) {
        if let Some(on) = self.on() {
            on.book.ran(task, elapsed);
        }
    }

    /// What is to be counted when a delivery is settled.
    pub(crate) fn settling(&self, original: &Original, outcome: Outcome, reason: Reason) -> Settling<'_> {
        Settling(self.on().and_then(|on| {
            let (message, queue, _) = original.parts();
            on.book.settling(message.task(), &queue.name, outcome, reason)
        }))
    }

    /// A run ended when its delivery was lost.
    pub(crate) fn ack_lost(&self) {
        if let Some(on) = self.on() {
            on.book.ack_lost();
        }
    }

    /// A settlement failed, and is repeated.
    pub(crate) fn repeated(&self, error: &BrokerError) {
        if let Some(on) = self.on() {
            on.book.repeated(error);
        }
    }
}

/// What is to be counted when a delivery is settled.
#[must_use = "nothing is counted before `done`"]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling<'a>(Option<&'a Cell>);

impl Settling<'_> {
    pub(crate) fn done(self) {
        if let Some(cell) = self.0 {
            cell.count();
        }
    }
}

/// The slots of a pool.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Option<Arc<AtomicU64>>);

impl Slots {
    /// Takes one, until what is returned is dropped.
    pub(crate) fn take(&self) -> Taken {
        if let Some(busy) = &self.0 {
            busy.fetch_add(1, Ordering::Relaxed);
        }
        Taken(self.0.clone())
    }
}

/// A slot that holds a delivery.
#[must_use = "the slot is free again when this is dropped"]
#[derive(Debug)]
pub(crate) struct Taken(Option<Arc<AtomicU64>>);

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(busy) = &self.0 {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<S: Send + Sync + 'static> Runs for Shared<S> {
    fn runs(&self) -> Vec<Run> {
        let run = |job: Arc<crate::running::Job<S>>| {
            let age = job.started.elapsed();
            let overdue = job.limits.hard.is_some_and(|hard| age >= hard + watchdog::GRACE);
            Run { task: job.task, age, stuck: overdue && job.is_settled() }
        };
        self.running.jobs().into_iter().map(run).collect()
    }
}

impl fmt::Debug for dyn Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runs")
    }
}
