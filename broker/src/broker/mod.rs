//! The handle that users hold.

mod builder;
mod bulk;
mod call;
mod draft;

pub use builder::BrokerBuilder;
#[cfg(any(feature = "amqp", feature = "sqlite"))]
pub(crate) use builder::TransportSettings;
#[doc(hidden)]
pub use builder::host;
pub use bulk::Bulk;
pub use draft::{Draft, Sent, Untyped};

use std::{collections::HashMap, fmt, sync::Arc, time::Instant};

use serde::Serialize;

use crate::{
    Clock, Error, Message, Queue, QueueName, Task, Transport,
    memory::MemoryTransport,
    stats::{BrokerStats, Counts},
    transport::Destination,
};

/// Publishes tasks. A cheap handle: clone it freely; it connects when it is first used.
///
/// ```no_run
/// # use celeriac_broker::{Arg, Broker, Error, Task};
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Add { x: i64, y: i64 }
/// # impl Task for Add {
/// #     const NAME: &'static str = "math.add";
/// #     const ARGS: &'static [Arg] = &[Arg::required("x"), Arg::required("y")];
/// #     type Output = i64;
/// # }
/// # async fn example() -> Result<(), Error> {
/// let broker = Broker::from_env()?;
/// let sent = broker.publish(Add { x: 2, y: 3 }).await?;   // Ok: the broker has it, on disk
/// println!("{} waits in {}", sent.id, sent.queue);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Arc<dyn Transport>,
    address: String,
    queues: HashMap<QueueName, Queue>,
    max_message_bytes: usize,
    origin: String,
    counts: Counts,
}

impl Broker {
    /// The environment variable that [`from_env`](Self::from_env) reads.
    pub const URL_VARIABLE: &'static str = "CELERIAC_BROKER_URL";

    /// Where tasks go when nothing else is said: a file in the current folder.
    pub const DEFAULT_URL: &'static str = "sqlite://celeriac.db";

    /// The largest body that is published, in bytes: 16 MiB.
    pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

    /// The broker that `CELERIAC_BROKER_URL` names; unset, [`DEFAULT_URL`](Self::DEFAULT_URL). No I/O.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// The broker at `url`. No I/O.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder().url(url).build()
    }

    /// A broker with other settings than the defaults.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::default()
    }

    /// A broker in this process's memory, for tests. Its delays follow tokio's time, paused or not.
    pub fn memory() -> Self {
        Self::builder().build_on(Arc::new(MemoryTransport::new()), "memory://")
    }

    /// Publishes a task. `Ok` means that the broker has it, on disk.
    ///
    /// # Errors
    /// As [`Draft::publish`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have published.
    pub async fn publish<T: Task>(&self, task: T) -> Result<Sent<T>, Error> {
        self.message(task).publish().await
    }

    /// A task to be published with other options than its own.
    #[expect(clippy::needless_pass_by_value, reason = "a task is handed over here as in `publish`")]
    pub fn message<T: Task>(&self, task: T) -> Draft<T> {
        Draft::new(self.clone(), &task)
    }

    /// A task that is known by its name alone, such as one that a Python worker runs.
    ///
    /// `args` is anything that serialises to a list, `kwargs` anything that serialises to an object, and `()` is none.
    /// All of them are shown in listings: which ones are secret is known only to a [`Task`].
    ///
    /// ```
    /// # use celeriac_broker::{Broker, Error};
    /// # async fn example() -> Result<(), Error> {
    /// # let broker = Broker::memory();
    /// broker.task_named("reports.build", (2026, "May"), ()).queue("reports").publish().await?;
    /// # Ok(()) }
    /// ```
    pub fn task_named(&self, name: impl Into<String>, args: impl Serialize, kwargs: impl Serialize) -> Draft<Untyped> {
        Draft::named(self.clone(), name.into(), &args, &kwargs)
    }

    /// Publishes many tasks, up to [`Bulk::DEFAULT_IN_FLIGHT`] awaiting their confirmation at once. Await it:
    ///
    /// ```no_run
    /// # use celeriac_broker::{Broker, Task};
    /// # async fn example<T: Task>(broker: Broker, tasks: Vec<T>) {
    /// let hour = std::time::Duration::from_secs(3600);
    /// for result in broker.publish_all(tasks).spread_over(hour).await {
    ///     if let Err(error) = result { eprintln!("{error}"); }
    /// }
    /// # }
    /// ```
    pub fn publish_all<T: Task>(&self, tasks: impl IntoIterator<Item = T>) -> Bulk<T> {
        let (broker, tasks) = (self.clone(), tasks.into_iter().collect::<Vec<_>>());
        Bulk::new(tasks.into_iter().map(move |task| broker.message(task)))
    }

    /// Publishes a message that is already put together; for tools and replays.
    ///
    /// # Errors
    /// As [`Draft::publish`].
    pub async fn publish_message(&self, to: Destination, message: Message) -> Result<(), Error> {
        let began = Instant::now();
        let result = self.send(to, message).await;
        self.inner.counts.published(began, &result);
        result
    }

    async fn send(&self, to: Destination, message: Message) -> Result<(), Error> {
        let size = message.body.len();
        if size > self.inner.max_message_bytes {
            return Err(Error::TooLarge { id: message.id(), size, limit: self.inner.max_message_bytes });
        }
        if to.delay > crate::transport::MAX_DELAY {
            return Err(Error::DelayTooLong { asked: to.delay, max: crate::transport::MAX_DELAY });
        }
        self.inner.transport.publish(to, message).await
    }

    /// The queue of that name, as it was described when the broker was built, else by default.
    ///
    /// # Errors
    /// [`Error::InvalidQueueName`].
    pub fn queue(&self, name: impl AsRef<str>) -> Result<Queue, Error> {
        let queue = Queue::new(name)?;
        Ok(self.inner.queues.get(&queue.name).cloned().unwrap_or(queue))
    }

    /// The transport behind the handle; what tools and workers build on.
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.inner.transport
    }

    /// The clock that delays follow.
    pub fn clock(&self) -> Clock {
        self.inner.transport.clock()
    }

    /// The address, without its password.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The largest body that is published or run, in bytes.
    pub fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes
    }

    /// What this handle and its clones have done so far.
    pub fn stats(&self) -> BrokerStats {
        self.inner.counts.read(self.inner.transport.reconnects())
    }

    /// Who publishes: `gen<pid>@<host>`, as Celery writes it.
    pub(crate) fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// Closes the connections. What was published stays.
    pub async fn close(&self) {
        self.inner.transport.close().await;
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("address", &self.inner.address).finish_non_exhaustive()
    }
}
