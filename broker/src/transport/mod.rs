//! The way a broker is reached: one narrow trait, three implementations, one conformance suite.

mod delivery;
mod info;

pub use delivery::{Delivery, Settle, Unsettled};
pub use info::{Adoption, Capabilities, Finding, Severity, Swept, Verdict};

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{Clock, Error, Message, Queue, QueueInfo, QueueName};

/// The longest delay: 300 days.
pub const MAX_DELAY: Duration = Duration::from_secs(300 * 24 * 60 * 60);

/// The highest priority.
pub const MAX_PRIORITY: u8 = 9;

/// Where a message goes, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The queue.
    pub queue: Queue,
    /// How long it waits at the broker first; at most [`MAX_DELAY`]. It is never delivered earlier.
    pub delay: Duration,
}

impl Destination {
    /// To `queue`, at once.
    pub fn now(queue: Queue) -> Self {
        Self { queue, delay: Duration::ZERO }
    }

    /// To `queue`, after `delay`.
    pub fn after(queue: Queue, delay: Duration) -> Self {
        Self { queue, delay }
    }
}

/// What a pool asks of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// The queue, declared on every (re)connect.
    pub queue: Queue,
    /// How many deliveries may be unsettled at once; at least 1.
    pub prefetch: u16,
    /// After how many deliveries that ended with their worker's death a task is isolated:
    /// from then on at most one such task per process is delivered at a time, so that its next death is its own.
    pub isolate_after: u32,
}

impl Subscription {
    /// The default of [`isolate_after`](Self::isolate_after).
    pub const DEFAULT_ISOLATE_AFTER: u32 = 2;

    /// `prefetch` deliveries of `queue` at once.
    pub fn new(queue: Queue, prefetch: u16) -> Self {
        Self { queue, prefetch, isolate_after: Self::DEFAULT_ISOLATE_AFTER }
    }
}

/// The way a broker is reached. Users hold a [`Broker`](crate::Broker) instead.
///
/// An implementation passes the suite that the feature `conformance` holds.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// What it can do, and what its name is.
    fn capabilities(&self) -> Capabilities;

    /// The clock that its delays follow.
    fn clock(&self) -> Clock {
        Clock::system()
    }

    /// Connects if it is not connected, and asks for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Refused`], [`Error::Store`].
    async fn ping(&self) -> Result<(), Error>;

    /// Sends a message to itself through a queue of its own, over the connection on which it consumes, and waits for it: it is not
    /// enough to be connected. A transport without a connection asks for a [sign of life](Self::ping) instead.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    ///
    /// # Cancel safety
    /// The future may be dropped; the next call begins anew.
    async fn canary(&self) -> Result<(), Error> {
        self.ping().await
    }

    /// How many connections were made anew after one was lost.
    fn reconnects(&self) -> u64 {
        0
    }

    /// Makes sure that `queue`, its dead letter queue and what delays need are there.
    ///
    /// A queue that exists with other arguments is adopted, and what can be known of the difference is said.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    async fn declare(&self, queue: &Queue) -> Result<Adoption, Error>;

    /// Hands a message over. `Ok` means that it is on disk at the broker.
    ///
    /// It never takes longer than the transport's publish timeout, 5 s by default.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Refused`], [`Error::Blocked`], [`Error::Unconfirmed`], [`Error::Unroutable`],
    /// [`Error::Nacked`], [`Error::Store`].
    ///
    /// # Cancel safety
    /// A dropped future may or may not have published.
    async fn publish(&self, to: Destination, message: Message) -> Result<(), Error>;

    /// Begins to consume. The first connection is made here; later ones are made behind [`Consumer::next`].
    ///
    /// # Errors
    /// [`Error::Refused`] at once; [`Error::Unreachable`] and [`Error::Store`] as they come: try again.
    async fn consume(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error>;

    /// Every queue, or `None` where this transport can't know.
    async fn queues(&self) -> Result<Option<Vec<QueueInfo>>, Error>;

    /// What can be known of one queue, or `None` where there is no such queue.
    async fn queue(&self, name: &QueueName) -> Result<Option<QueueInfo>, Error>;

    /// Deletes every ready message of a queue, and says how many.
    async fn purge(&self, name: &QueueName) -> Result<u64, Error>;

    /// Deletes a queue and what is in it; its dead letter queue stays unless it is empty.
    async fn delete(&self, name: &QueueName) -> Result<(), Error>;

    /// Shows each ready message of a queue to `visit`, at most `limit`, and does to it what `visit` says.
    ///
    /// A message that is kept stays; one that is moved is in its new place before it is gone from the old one.
    async fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Result<Swept, Error>;

    /// What an operator should know about this broker and these queues.
    async fn diagnose(&self, queues: &[Queue]) -> Result<Vec<Finding>, Error>;

    /// At most how many messages wait for their time, bound for `name`; `None` where this transport can't know. Where what
    /// waits can't be told apart by its queue, all of it counts, so that only 0 is exact.
    async fn delayed(&self, name: &QueueName) -> Result<Option<u64>, Error> {
        Ok(self.queue(name).await?.and_then(|info| info.delayed))
    }

    /// How long a delivery of this queue may stay unsettled before the broker takes it back; `None` where it may for ever.
    async fn consumer_timeout(&self, _queue: &QueueName) -> Option<Duration> {
        None
    }

    /// Resolves when what was settled can no longer be lost with this process. [`close`](Self::close) waits for it too.
    async fn flush(&self) {}

    /// Closes its connections. What was handed over stays; consumers end.
    async fn close(&self);
}

/// A stream of deliveries from one queue.
#[async_trait]
pub trait Consumer: fmt::Debug + Send {
    /// The next delivery. It waits, reconnecting for ever, and ends with `None` only after [`stop`](Self::stop).
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Option<Delivery>;

    /// Stops fetching, within a second. What was fetched and not yet returned by [`next`](Self::next) is given back or
    /// still comes out of it; what is unsettled can still be settled.
    async fn stop(&mut self);

    /// Whether the consumer is registered at the broker now.
    fn is_connected(&self) -> bool;
}
