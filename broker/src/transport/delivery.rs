use std::fmt;

use async_trait::async_trait;

use super::Destination;
use crate::{Error, Message, Queue};

/// One arrival of a message at a worker; settled exactly once, by move.
///
/// A delivery that is dropped unsettled comes back: when its connection closes, or when its claim runs out.
#[must_use = "an unsettled delivery comes back only when its connection closes or its claim runs out"]
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The queue it came from.
    pub queue: Queue,
    /// Which delivery of this attempt this is: 1 for the first, one more for every worker that died with it.
    pub deliveries: u32,
    settle: Box<dyn Settle>,
}

/// How a transport settles one delivery.
#[async_trait]
pub trait Settle: Send + Sync {
    /// Removes the message from the queue.
    ///
    /// # Errors
    /// [`Error::DeliveryLost`] when the broker has taken it back.
    async fn ack(self: Box<Self>) -> Result<(), Error>;

    /// Publishes `copy`, has it confirmed, then removes the original; in one transaction where the transport has one.
    /// After `Ok` and after [`Error::DeliveryLost`] the delivery is over; after any other error it may be called again.
    ///
    /// # Errors
    /// [`Error::DeliveryLost`] when the broker has taken the original back: the copy may be there as well.
    /// Whatever publishing returns: then the original is still held.
    async fn replace(&mut self, to: &Destination, copy: &Message) -> Result<(), Error>;
}

/// A delivery that could not be replaced.
#[derive(Debug, thiserror::Error)]
#[error("a delivery could not be settled")]
#[non_exhaustive]
pub struct Unsettled {
    /// What happened.
    #[source]
    pub error: Error,
    /// The delivery, still held, to be tried again; `None` after [`Error::DeliveryLost`].
    pub delivery: Option<Delivery>,
}

impl Delivery {
    /// Puts a delivery together; called by transports.
    pub fn new(message: Message, queue: Queue, deliveries: u32, settle: Box<dyn Settle>) -> Self {
        Self { message, queue, deliveries, settle }
    }

    /// Removes the message from the queue.
    ///
    /// # Errors
    /// [`Error::DeliveryLost`] when the broker has taken it back: it runs again, and must not be reported as done.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have settled.
    pub async fn ack(self) -> Result<(), Error> {
        self.settle.ack().await
    }

    /// Puts `copy` in the message's stead: publishes it, has it confirmed, then removes the original.
    ///
    /// # Errors
    /// [`Unsettled`] with what publishing returns and the delivery to try again with, or with [`Error::DeliveryLost`].
    ///
    /// # Cancel safety
    /// A dropped future may have left both, never neither.
    pub async fn replace(mut self, to: &Destination, copy: &Message) -> Result<(), Box<Unsettled>> {
        match self.settle.replace(to, copy).await {
            Ok(()) => Ok(()),
            Err(error @ Error::DeliveryLost { .. }) => Err(Box::new(Unsettled { error, delivery: None })),
            Err(error) => Err(Box::new(Unsettled { error, delivery: Some(self) })),
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.message.id())
            .field("queue", &self.queue.name)
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
