//! What the tests of RabbitMQ have in common.

use celeriac_broker::{
    Broker, Consumer, Delivery, Headers, Message, Properties, Queue,
    transport::{Destination, Subscription},
};

use lapin::{Channel, Connection, ConnectionProperties};

use crate::support::{BOUND, amqp_url, unique, within};

/// A task message with this id.
pub fn message(id: &str) -> Message {
    let mut headers = Headers::default();
    headers.set("task", "test.task");
    headers.set("id", id.to_owned());
    let mut properties = Properties::default();
    properties.correlation_id = Some(id.to_owned());
    Message::new(properties, headers, &b"[[], {}, {}]"[..])
}

/// The shared broker, as one more process sees it.
pub fn broker() -> Broker {
    Broker::new(&amqp_url()).unwrap()
}

/// Somebody else at the same broker.
pub async fn stranger() -> (Connection, Channel) {
    let connection = Connection::connect(&amqp_url(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// A queue that nobody else uses.
pub fn queue(stem: &str) -> Queue {
    Queue::new(unique(stem)).unwrap()
}

pub async fn publish(broker: &Broker, queue: &Queue, id: &str) {
    broker.publish_message(Destination::now(queue.clone()), message(id)).await.unwrap();
}

pub async fn consume(broker: &Broker, queue: &Queue, prefetch: u16) -> Box<dyn Consumer> {
    broker.transport().consume(Subscription::new(queue.clone(), prefetch)).await.unwrap()
}

/// The next delivery, which must come.
pub async fn receive(consumer: &mut Box<dyn Consumer>) -> Delivery {
    within(BOUND, consumer.next()).await.unwrap()
}

pub fn id(delivery: &Delivery) -> String {
    delivery.message.id().as_str().to_owned()
}

/// How many messages are ready.
pub async fn ready(broker: &Broker, queue: &Queue) -> u64 {
    broker.transport().queue(&queue.name).await.unwrap().map_or(0, |info| info.ready.unwrap())
}
