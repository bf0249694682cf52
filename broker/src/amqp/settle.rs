//! Settling one delivery.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OwnedSemaphorePermit;

use super::{acker::AckChannel, publisher::Publisher};
use crate::{
    Error, Message, Queue, TaskId,
    transport::{Destination, Settle},
};

#[derive(Debug)]
pub(super) struct AmqpSettle {
    channel: Arc<AckChannel>,
    tag: u64,
    id: TaskId,
    publisher: Arc<Publisher>,
    /// One of the subscription's places, where the broker does not count them all.
    place: Option<OwnedSemaphorePermit>,
}

impl AmqpSettle {
    pub(super) fn new(channel: Arc<AckChannel>, tag: u64, id: TaskId, publisher: Arc<Publisher>) -> Self {
        Self { channel, tag, id, publisher, place: None }
    }

    /// Takes one of the subscription's places, until it is settled or dropped.
    pub(super) fn occupy(&mut self, place: OwnedSemaphorePermit) {
        self.place = Some(place);
    }

    /// Fails where the broker has taken the delivery back: a copy made now would be one too many.
    fn check(&self) -> Result<(), Error> {
        if self.channel.is_alive() { Ok(()) } else { Err(self.lost()) }
    }

    fn lost(&self) -> Error {
        Error::DeliveryLost { id: self.id.clone() }
    }

    async fn acknowledge(&self) -> Result<(), Error> {
        if self.channel.ack(self.tag).await { Ok(()) } else { Err(self.lost()) }
    }

    /// As [`Settle::replace`], at once and into the queue of that name beside `of`.
    pub(super) async fn replace_in_companion(&self, of: &Queue, name: &str, copy: &Message) -> Result<(), Error> {
        self.check()?;
        self.publisher.publish_to_companion(of, name, copy).await?;
        self.acknowledge().await
    }
}

impl Drop for AmqpSettle {
    fn drop(&mut self) {
        self.channel.released();
    }
}

#[async_trait]
impl Settle for AmqpSettle {
    async fn ack(self: Box<Self>) -> Result<(), Error> {
        self.acknowledge().await
    }

    async fn replace(&mut self, to: &Destination, copy: &Message) -> Result<(), Error> {
        self.check()?;
        self.publisher.publish(to, copy).await?;
        self.acknowledge().await
    }
}
