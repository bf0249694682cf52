//! The raw client: what a careful program without Celeriac would do.

use std::time::{Duration, Instant};

use celeriac::{HeaderValue, Message};
use futures_util::{StreamExt, TryStreamExt, stream, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString},
};

use crate::Failure;

/// What fetched messages are bounded by, on both sides.
pub(crate) const PREFETCH: u16 = 128;

/// The address of the server to use.
pub(crate) fn url() -> Result<String, Failure> {
    std::env::var("CELERIAC_TEST_AMQP_URL").map_err(|_| "it needs RabbitMQ: run `cargo xtask bench`".into())
}

/// How deliveries are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acks {
    /// One by one, many under way at once.
    Pipelined,
    /// One for each half of the prefetch.
    Multiple,
}

/// A connection and a queue that is there already.
pub(crate) struct Raw {
    connection: Connection,
    queue: ShortString,
}

impl Raw {
    pub(crate) async fn connect(url: &str, queue: &str) -> Result<Self, Failure> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        Ok(Self { connection, queue: queue.into() })
    }

    /// A channel that confirms.
    pub(crate) async fn confirming(&self) -> Result<Channel, Failure> {
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }

    /// A consumer and its channel.
    pub(crate) async fn consumer(&self) -> Result<(Channel, Consumer), Failure> {
        let channel = self.connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(self.queue.clone(), "".into(), options, table).await?;
        Ok((channel, consumer))
    }

    /// Publishes one message and awaits its confirmation.
    pub(crate) async fn publish(
        &self,
        channel: &Channel,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), Failure> {
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let sent = channel.basic_publish("".into(), self.queue.clone(), options, body, properties).await?;
        match sent.await? {
            Confirmation::Ack(None) => Ok(()),
            other => Err(format!("not confirmed: {other:?}").into()),
        }
    }

    /// Publishes a message `count` times, at most `in_flight` unconfirmed.
    pub(crate) async fn publish_many(
        &self,
        body: &[u8],
        properties: &BasicProperties,
        count: u64,
        in_flight: usize,
    ) -> Result<(), Failure> {
        let channel = self.confirming().await?;
        let publishes = stream::iter(0..count).map(|_| self.publish(&channel, body, properties.clone()));
        publishes.buffer_unordered(in_flight).try_collect().await
    }

    /// Takes and acknowledges `count` messages; the time from the first one's arrival to the last one's.
    pub(crate) async fn consume(&self, count: u64, how: Acks) -> Result<Duration, Failure> {
        let (channel, mut consumer) = self.consumer().await?;
        let (mut seen, mut first, mut acks) = (0, None, FuturesUnordered::new());
        while seen < count {
            let delivery = tokio::select! {
                biased;
                Some(sent) = acks.next(), if !acks.is_empty() => { sent?; continue }
                delivery = consumer.next() => delivery.ok_or("the consumer ended")??,
            };
            first.get_or_insert_with(Instant::now);
            seen += 1;
            let multiple = how == Acks::Multiple;
            if !multiple || seen % u64::from(PREFETCH / 2) == 0 || seen == count {
                acks.push(channel.basic_ack(delivery.delivery_tag, BasicAckOptions { multiple }));
            }
        }
        let took = first.map(|first| first.elapsed()).unwrap_or_default();
        while let Some(sent) = acks.next().await {
            sent?;
        }
        // Its answer comes after all acks have been taken.
        channel
            .queue_declare(self.queue.clone(), QueueDeclareOptions::durable().passive(), FieldTable::default())
            .await?;
        channel.close(200, "done".into()).await?;
        Ok(took)
    }
}

/// The properties and the header table that Celeriac would write, so that both sides write the same bytes.
pub(crate) fn properties_of(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in message.headers.iter() {
        headers.insert(name.into(), amqp(value));
    }
    let text = |text: &Option<_>| ShortString::from(text.as_deref().unwrap_or_default());
    let properties = &message.properties;
    bare()
        .with_headers(headers)
        .with_content_encoding(text(&properties.content_encoding))
        .with_priority(message.priority())
        .with_correlation_id(properties.correlation_id.as_deref().unwrap_or_default().into())
        .with_reply_to(properties.reply_to.as_deref().unwrap_or_default().into())
}

/// A persistent message without headers.
pub(crate) fn bare() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into())
}

fn amqp(value: &HeaderValue) -> AMQPValue {
    match value {
        HeaderValue::Bool(truth) => AMQPValue::Boolean(*truth),
        HeaderValue::Int(int) => i32::try_from(*int).map_or(AMQPValue::LongLongInt(*int), AMQPValue::LongInt),
        HeaderValue::Text(text) => AMQPValue::LongString(LongString::from(text.as_bytes())),
        HeaderValue::List(values) => {
            AMQPValue::FieldArray(FieldArray::from(values.iter().map(amqp).collect::<Vec<_>>()))
        }
        HeaderValue::Table(_) => AMQPValue::FieldTable(FieldTable::default()),
        _ => AMQPValue::Void,
    }
}
