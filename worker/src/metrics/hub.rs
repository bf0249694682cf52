use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use celeriac_broker::{Broker, QueueInfo, QueueName};
use celeriac_mutex::{Kind, Locks, stats::LocksStats};
use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    book::Counters,
    defs::{self, Def, Sample},
    health::Health,
    reporter::LockSight,
};

/// The name of the mutexes by which reporters are elected; not counted among the locks.
pub(super) const REPORTER: &str = "celeriac.reporter";

/// Where everything comes together when a registry asks.
pub(super) struct Hub {
    pub(super) counters: Counters,
    pub(super) health: Health,
    descs: Vec<Desc>,
    worker: OnceLock<About>,
    runs: Mutex<Option<Weak<dyn Runs>>>,
    pools: Mutex<Vec<PoolUse>>,
    sights: Mutex<Sights>,
}

/// What does not change while a worker lives.
#[derive(Debug)]
pub(super) struct About {
    pub(super) tasks: Vec<&'static str>,
    pub(super) broker: Broker,
    pub(super) locks: Option<Locks>,
    /// The values of `celeriac_worker_info`.
    pub(super) info: [String; 5],
}

/// A run in progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) task: &'static str,
    pub(super) age: Duration,
    pub(super) stuck: bool,
}

/// Who knows what runs.
pub(super) trait Runs: Send + Sync {
    fn runs(&self) -> Vec<Run>;
}

/// The slots of one pool.
#[derive(Debug, Clone)]
struct PoolUse {
    name: String,
    slots: u16,
    busy: Arc<AtomicU64>,
}

/// What reporters have seen last.
#[derive(Debug, Default)]
pub(super) struct Sights {
    /// By queue, whether this worker reports it, what it has seen, and how many are in its dead letter queue.
    pub(super) queues: HashMap<QueueName, QueueSight>,
    pub(super) locks: HashMap<(Kind, &'static str), LockSight>,
}

#[derive(Debug, Default)]
pub(super) struct QueueSight {
    pub(super) reports: bool,
    pub(super) info: Option<QueueInfo>,
    pub(super) dead: Option<u64>,
    pub(super) oldest: Option<Duration>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub(super) fn new() -> prometheus::Result<Self> {
        Ok(Self {
            counters: Counters::new()?,
            health: Health::default(),
            descs: defs::ALL.iter().map(|def| def.desc()).collect::<prometheus::Result<_>>()?,
            worker: OnceLock::new(),
            runs: Mutex::default(),
            pools: Mutex::default(),
            sights: Mutex::default(),
        })
    }

    /// Says whom it is about; `false` where it is about another already.
    pub(super) fn describe(&self, about: About) -> bool {
        self.worker.set(about).is_ok()
    }

    pub(super) fn watch(&self, runs: Weak<dyn Runs>) {
        *locked(&self.runs) = Some(runs);
    }

    /// A pool's count of busy slots.
    pub(super) fn pool(&self, name: String, slots: u16) -> Arc<AtomicU64> {
        let busy = Arc::new(AtomicU64::new(0));
        locked(&self.pools).push(PoolUse { name, slots, busy: busy.clone() });
        busy
    }

    pub(super) fn sights(&self) -> MutexGuard<'_, Sights> {
        locked(&self.sights)
    }

    fn pools(&self, families: &mut Families) {
        let pools = locked(&self.pools).clone();
        families
            .add(&defs::POOL_SLOTS, pools.iter().map(|pool| Sample::count([pool.name.as_str()], pool.slots.into())));
        let busy = |pool: &PoolUse| Sample::count([pool.name.as_str()], pool.busy.load(Ordering::Relaxed));
        families.add(&defs::POOL_SLOTS_BUSY, pools.iter().map(busy));
    }

    fn runs(&self, about: &About, families: &mut Families) {
        let Some(source) = locked(&self.runs).as_ref().and_then(Weak::upgrade) else { return };
        let runs = source.runs();
        let of = |task: &'static str| runs.iter().filter(move |run| run.task == task);
        let tasks = || about.tasks.iter().copied();
        let count = |runs: usize| u64::try_from(runs).unwrap_or(u64::MAX);
        families.add(&defs::TASKS_RUNNING, tasks().map(|task| Sample::count([task], count(of(task).count()))));
        let oldest = |task| of(task).map(|run| run.age).max().unwrap_or_default();
        families.add(&defs::TASK_OLDEST_RUN, tasks().map(|task| Sample::new([task], oldest(task).as_secs_f64())));
        let stuck = |task| count(of(task).filter(|run| run.stuck).count());
        families.add(&defs::HANDLERS_STUCK, tasks().map(|task| Sample::count([task], stuck(task))));
    }

    fn broker(about: &About, reconnects: Option<u64>, families: &mut Families) {
        let stats = about.broker.stats();
        families.add(&defs::PUBLISHED, [Sample::count([], stats.published)]);
        let failed = stats.failed.iter().map(|(fault, count)| Sample::count([fault.as_str()], *count));
        families.add(&defs::PUBLISH_FAILURES, failed);
        let (bounds, took) = (&celeriac_broker::stats::PUBLISH_BUCKETS, &stats.durations);
        families.add(&defs::PUBLISH_DURATION, [Sample::histogram([], bounds, &took.counts, took.count, took.sum)]);
        let locks = reconnects.map(|count| Sample::count(["locks"], count));
        families.add(&defs::RECONNECTS, [Sample::count(["broker"], stats.reconnects)].into_iter().chain(locks));
    }

    fn health(&self, families: &mut Families) {
        let ready = self.health.ready();
        families
            .add(&defs::WORKER_READY, ready.iter().map(|(check, found)| Sample::count([*check], found.is_ok().into())));
        let seconds = |time: Duration| Sample::new([], time.as_secs_f64());
        families.add(&defs::ROUND_TRIP, self.health.round_trip().map(seconds));
        let started = self.health.started().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        families.add(&defs::START_TIME, started.map(seconds));
    }

    fn queues(&self, families: &mut Families) {
        let sights = self.sights();
        let infos = || sights.queues.iter().filter_map(|(name, sight)| Some((name.as_str(), sight.info.as_ref()?)));
        let depths = infos().flat_map(|(name, info)| {
            [("ready", info.ready), ("delayed", info.delayed), ("running", info.running)]
                .into_iter()
                .filter_map(move |(state, count)| Some(Sample::count([name, state], count?)))
        });
        let dead =
            sights.queues.iter().filter_map(|(name, sight)| Some(Sample::count([name.as_str(), "dead"], sight.dead?)));
        families.add(&defs::QUEUE_DEPTH, depths.chain(dead));
        let ages = sights.queues.iter();
        families.add(
            &defs::QUEUE_OLDEST_AGE,
            ages.filter_map(|(name, sight)| Some(Sample::new([name.as_str()], sight.oldest?.as_secs_f64()))),
        );
        let consumers = infos().filter_map(|(name, info)| Some(Sample::count([name], info.consumers?)));
        families.add(&defs::QUEUE_CONSUMERS, consumers);
        let reporters = sights.queues.iter().map(|(name, sight)| Sample::count([name.as_str()], sight.reports.into()));
        families.add(&defs::QUEUE_REPORTER, reporters);
    }

    fn lock_sights(&self, families: &mut Families) {
        let sights = self.sights();
        let waiters = sights.locks.iter();
        families.add(
            &defs::LOCK_WAITERS,
            waiters.map(|((kind, name), sight)| Sample::count([kind.as_str(), name], sight.waiting)),
        );
        let of =
            |kind| sights.locks.iter().filter(move |((of, _), _)| *of == kind).map(|((_, name), sight)| (*name, sight));
        families.add(&defs::MUTEX_HELD, of(Kind::Mutex).map(|(name, sight)| Sample::count([name], sight.used)));
        let semaphores = || of(Kind::Semaphore);
        families.add(&defs::SEMAPHORE_HELD, semaphores().map(|(name, sight)| Sample::count([name], sight.used)));
        families.add(&defs::SEMAPHORE_LIMIT, semaphores().map(|(name, sight)| Sample::count([name], sight.limit)));
    }
}

fn locks(stats: &LocksStats, families: &mut Families) {
    let bounds = &celeriac_mutex::stats::BUCKETS;
    let names = || stats.locks.iter().filter(|lock| lock.name != REPORTER);
    families.add(
        &defs::LOCK_WAIT,
        names().map(|lock| {
            let times = &lock.waits;
            Sample::histogram([lock.kind.as_str(), &lock.name], bounds, &times.counts, times.count, times.sum)
        }),
    );
    families.add(
        &defs::LOCK_HOLD,
        names().map(|lock| {
            let times = &lock.holds;
            Sample::histogram([lock.kind.as_str(), &lock.name], bounds, &times.counts, times.count, times.sum)
        }),
    );
    let oldest = names()
        .map(|lock| Sample::new([lock.kind.as_str(), &lock.name], lock.oldest.unwrap_or_default().as_secs_f64()));
    families.add(&defs::LOCK_OLDEST_HOLD, oldest);
    let lost = names().flat_map(|lock| {
        lock.lost.iter().map(|(reason, count)| Sample::count([lock.kind.as_str(), &lock.name, reason.as_str()], *count))
    });
    families.add(&defs::LEASES_LOST, lost);
    let renewals = [("renewed", stats.renewed), ("lost", stats.lost), ("failed", stats.failed)];
    families.add(&defs::LEASE_RENEWALS, renewals.map(|(result, count)| Sample::count([result], count)));
}

impl Collector for Hub {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Families(self.counters.collect());
        self.health(&mut families);
        let Some(about) = self.worker.get() else { return families.0 };
        let info = about.info.each_ref().map(String::as_str);
        families.add(&defs::WORKER_INFO, [Sample::count(info, 1)]);
        self.pools(&mut families);
        self.runs(about, &mut families);
        let stats = about.locks.as_ref().map(Locks::stats);
        Self::broker(about, stats.as_ref().map(|stats| stats.reconnects), &mut families);
        self.queues(&mut families);
        if let Some(stats) = &stats {
            locks(stats, &mut families);
            self.lock_sights(&mut families);
        }
        families.0
    }
}

/// What a scrape will show.
struct Families(Vec<MetricFamily>);

impl Families {
    fn add(&mut self, def: &Def, samples: impl IntoIterator<Item = Sample>) {
        self.0.push(def.family(samples));
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("worker", &self.worker).finish_non_exhaustive()
    }
}
