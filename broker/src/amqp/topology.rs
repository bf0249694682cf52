//! Which queues there are, with which arguments; each declared once per connection.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use lapin::{
    Channel,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::sync::OnceCell;

use super::{
    connection::Link,
    delay,
    errors::{Fault, PRECONDITION_FAILED, said},
    ladder::Ladder,
    levels::Levels,
    table::{arguments, text},
};
use crate::{Queue, QueueKind, QueueName, transport::Adoption};

/// The delivery limit of queues whose messages must stay however often they are looked at.
///
/// A number and not its absence, which means 20 since RabbitMQ 4.0; and not that version's `-1`, which older ones refuse.
pub(super) const UNLIMITED_DELIVERIES: i32 = i32::MAX;

/// A backstop only: the worker buries at 5 deliveries, with the reason. The broker's limit is for a worker that can't even do
/// that, and it must be far above, because before RabbitMQ 4.3 whatever returns counts, prefetched neighbours of a crash included.
const DELIVERY_LIMIT: i32 = 100;

/// The suffix of the queue in which tasks that may have killed their workers are run one at a time.
pub(super) const SUSPECT: &str = ".suspect";

/// How long it is believed that something is not there; another process may declare it.
const BELIEVED: Duration = Duration::from_secs(60);

/// What is known to be declared on one connection.
#[derive(Debug, Default)]
pub(super) struct Declared {
    queues: RwLock<HashMap<QueueName, Arc<Entry>>>,
    delays: RwLock<[Arc<Delays>; Ladder::ALL.len()]>,
    /// What was found missing, and when. The broker logs each such look as an error.
    absent: RwLock<HashMap<String, Instant>>,
}

/// What is known of one set of delay levels.
#[derive(Debug, Default)]
struct Delays {
    declared: OnceCell<()>,
    /// Whether a part was found missing.
    distrusted: bool,
}

#[derive(Debug)]
struct Entry {
    queue: Queue,
    work: OnceCell<Work>,
    bound: OnceCell<()>,
    suspect: OnceCell<()>,
}

/// A declared queue.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) adoption: Adoption,
    pub(super) levels: Levels,
}

impl Declared {
    /// How a queue keeps priorities, where nothing needs to be declared for a publish.
    pub(super) fn ready(&self, name: &QueueName, delayed: Option<Ladder>) -> Option<Levels> {
        if delayed.is_some_and(|ladder| !self.delays(ladder).declared.initialized()) {
            return None;
        }
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let entry = queues.get(name).filter(|entry| delayed.is_none() || entry.bound.initialized())?;
        entry.work.get().map(|work| work.levels)
    }

    /// Whether something of that name was lately found missing.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        let absent = self.absent.read().unwrap_or_else(PoisonError::into_inner);
        absent.get(name).is_some_and(|at| at.elapsed() < BELIEVED)
    }

    /// Remembers that something of that name was found missing.
    pub(super) fn found_absent(&self, name: &str) {
        self.absent.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Instant::now());
    }

    /// Forgets a queue that was found missing.
    pub(super) fn forget(&self, name: &QueueName) {
        self.queues.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Forgets the delay levels, a part of which was found missing.
    pub(super) fn forget_delays(&self) {
        let forgotten = || Arc::new(Delays { distrusted: true, ..Delays::default() });
        *self.delays.write().unwrap_or_else(PoisonError::into_inner) = Ladder::ALL.map(|_| forgotten());
    }

    fn delays(&self, ladder: Ladder) -> Arc<Delays> {
        let delays = self.delays.read().unwrap_or_else(PoisonError::into_inner);
        delays[ladder as usize].clone()
    }

    /// The queue that keeps messages under that name, as it was declared.
    pub(super) fn known(&self, name: &str) -> Option<Queue> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let keeps = |entry: &&Arc<Entry>| {
            let levels = entry.work.get().map_or(Levels::One, |work| work.levels);
            levels.names(&entry.queue.name).any(|level| level == name)
        };
        queues.values().find(keeps).map(|entry| entry.queue.clone())
    }

    fn entry(&self, queue: &Queue) -> Arc<Entry> {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let entry = queues.entry(queue.name.clone()).or_insert_with(|| {
            Arc::new(Entry {
                queue: queue.clone(),
                work: OnceCell::new(),
                bound: OnceCell::new(),
                suspect: OnceCell::new(),
            })
        });
        entry.clone()
    }
}

impl Link {
    /// Declares a queue with its dead letter queue, and what delays by the levels of `delayed` need.
    pub(super) async fn declare(&self, queue: &Queue, delayed: Option<Ladder>) -> Result<Work, Fault> {
        let entry = self.declared.entry(queue);
        let work = entry.work.get_or_try_init(|| self.declare_work(queue)).await?;
        if let Some(ladder) = delayed {
            let delays = self.declared.delays(ladder);
            delays.declared.get_or_try_init(|| delay::declare(self, ladder, delays.distrusted)).await?;
            entry
                .bound
                .get_or_try_init(|| async {
                    let channel = self.channel().await?;
                    for name in work.levels.names(&queue.name) {
                        delay::bind(&channel, &name).await?;
                    }
                    Ok::<_, Fault>(())
                })
                .await?;
        }
        Ok(work.clone())
    }

    /// Declares the queue of a queue's suspects.
    pub(super) async fn declare_suspects(&self, queue: &Queue) -> Result<(), Fault> {
        if has_companions(&queue.name) {
            let declare = || async {
                let (name, dead) = (suspect_name(&queue.name), format!("{}.dead", queue.name));
                Scratch::new(self).declare(&name, dead_lettering_to(&dead, DELIVERY_LIMIT)).await.map(drop)
            };
            self.declared.entry(queue).suspect.get_or_try_init(declare).await?;
        }
        Ok(())
    }

    async fn declare_work(&self, queue: &Queue) -> Result<Work, Fault> {
        let mut scratch = Scratch::new(self);
        if !has_companions(&queue.name) {
            let adoption = scratch.declare(queue.name.as_str(), dead_arguments()).await?;
            return Ok(Work { adoption, levels: Levels::One });
        }
        let levels = Levels::of(queue);
        // The dead letter queue first: nothing can be dead-lettered to where nothing is.
        let dead = format!("{}.dead", queue.name);
        let adopted_dead = scratch.declare(&dead, dead_arguments()).await?;
        let mut adoption = adopted_dead;
        for name in levels.names(&queue.name) {
            let adopted = scratch.declare(&name, work_arguments(queue)).await?;
            if adopted != Adoption::AsDeclared {
                adoption = adopted;
            }
        }
        Ok(Work { adoption, levels })
    }
}

/// Dead letter queues have no dead letter queue of their own.
pub(super) fn has_companions(name: &QueueName) -> bool {
    name.as_str().strip_suffix(".dead").is_none()
}

/// The name of the queue of a queue's suspects. It may be longer than a [`QueueName`]: nothing is delayed into it.
pub(super) fn suspect_name(name: &QueueName) -> String {
    format!("{name}{SUSPECT}")
}

fn work_arguments(queue: &Queue) -> FieldTable {
    let dead = format!("{}.dead", queue.name);
    match queue.kind {
        _ if queue.shared_with_celery => FieldTable::default(),
        QueueKind::Quorum => dead_lettering_to(&dead, DELIVERY_LIMIT),
        QueueKind::Classic => {
            let mut table =
                arguments([("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(&dead))]);
            if queue.priorities {
                table.insert("x-max-priority".into(), AMQPValue::LongInt(10));
            }
            table
        }
    }
}

/// What dies here is in the dead letter queue before it is gone from this one.
fn dead_lettering_to(dead: &str, delivery_limit: i32) -> FieldTable {
    arguments([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongInt(delivery_limit)),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

fn dead_arguments() -> FieldTable {
    arguments([("x-queue-type", text("quorum")), ("x-delivery-limit", AMQPValue::LongInt(UNLIMITED_DELIVERIES))])
}

/// A channel for questions whose answer may close it.
struct Scratch<'a> {
    link: &'a Link,
    channel: Option<Channel>,
}

impl<'a> Scratch<'a> {
    fn new(link: &'a Link) -> Self {
        Self { link, channel: None }
    }

    async fn channel(&mut self) -> Result<Channel, Fault> {
        match &self.channel {
            Some(channel) if channel.status().connected() => Ok(channel.clone()),
            _ => Ok(self.channel.insert(self.link.channel().await?).clone()),
        }
    }

    /// Declares a durable queue, or adopts the one that is there.
    async fn declare(&mut self, name: &str, arguments: FieldTable) -> Result<Adoption, Fault> {
        let queue = ShortString::try_new(name).map_err(|_| Fault::Refused(format!("the name {name} is too long")))?;
        let channel = self.channel().await?;
        let declared = channel.queue_declare(queue.clone(), QueueDeclareOptions::durable(), arguments).await;
        let Err(error) = declared else { return Ok(Adoption::AsDeclared) };
        let Some(difference) = said(&error, PRECONDITION_FAILED) else { return Err(error.into()) };
        // The same answer comes for arguments that the broker does not know; then there is no queue to adopt.
        let passive = QueueDeclareOptions::durable().passive();
        if self.channel().await?.queue_declare(queue, passive, FieldTable::default()).await.is_err() {
            return Err(Fault::Refused(difference));
        }
        tracing::warn!(queue = name, difference, "the queue exists with other arguments, and is used as it is");
        Ok(Adoption::Adopted { difference })
    }
}
