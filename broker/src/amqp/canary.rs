//! A message to itself: who gets it back is not only connected, but served.

use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel,
    options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{connection::Link, errors::Fault, table::arguments};

/// How long the queue outlives a channel that was not closed.
const EXPIRES: i32 = 60_000;

/// A queue that this connection alone may use, with a consumer on it.
pub(super) struct Canary {
    channel: Channel,
    queue: ShortString,
    consumer: lapin::Consumer,
    last: u64,
}

impl std::fmt::Debug for Canary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canary").field("queue", &self.queue.as_str()).finish_non_exhaustive()
    }
}

impl Canary {
    pub(super) async fn new(link: &Link) -> Result<Self, Fault> {
        let channel = link.channel().await?;
        let options = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        let expires = arguments([("x-expires", AMQPValue::LongInt(EXPIRES))]);
        // The broker names it.
        let queue = channel.queue_declare(ShortString::default(), options, expires).await?.name().clone();
        let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.clone(), ShortString::default(), options, FieldTable::default());
        Ok(Self { consumer: consumer.await?, channel, queue, last: 0 })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.channel.status().connected()
    }

    /// Resolves when the message is back.
    pub(super) async fn fly(&mut self) -> Result<(), Fault> {
        self.last += 1;
        let body = self.last.to_be_bytes();
        let (exchange, key) = (ShortString::default(), self.queue.clone());
        self.channel
            .basic_publish(exchange, key, BasicPublishOptions::default(), &body, BasicProperties::default())
            .await?;
        while let Some(delivery) = self.consumer.next().await {
            if delivery?.data == body {
                return Ok(());
            }
        }
        Err(Fault::timed_out("the broker's answer"))
    }
}
