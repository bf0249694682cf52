//! What the claims have in common.

use std::{future::Future, time::Duration};

use tokio::time::{sleep, timeout};

use super::Fixture;
use crate::{
    Broker, Consumer, Delivery, Headers, Message, Properties, Queue,
    message::names,
    transport::{Destination, Subscription},
};

/// Longer than anything that is expected takes on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long nothing must come where nothing may come.
pub(super) const QUIET: Duration = Duration::from_millis(400);

/// How late a delayed message may be.
pub(super) const LATENESS: Duration = Duration::from_secs(3);

/// A task message with this id.
pub(super) fn message(id: &str) -> Message {
    let mut headers = Headers::default();
    headers.set(names::LANG, "rust");
    headers.set(names::TASK, "conformance.task");
    headers.set(names::ID, id.to_owned());
    let properties = Properties {
        content_type: Some("application/json".into()),
        content_encoding: Some("utf-8".into()),
        priority: Some(0),
        correlation_id: Some(id.to_owned()),
        ..Properties::default()
    };
    Message::new(properties, headers, &b"[[], {}, {}]"[..])
}

/// The same with a priority.
pub(super) fn prioritised(id: &str, priority: u8) -> Message {
    let mut message = message(id);
    message.properties.priority = Some(priority);
    message
}

/// A process's view of the store, and a queue declared in it.
pub(super) async fn declared(fixture: &impl Fixture, stem: &str) -> (Broker, Queue) {
    let broker = fixture.broker();
    let queue = fixture.queue(stem);
    declare(&broker, &queue).await;
    (broker, queue)
}

pub(super) async fn declare(broker: &Broker, queue: &Queue) {
    broker.transport().declare(queue).await.expect("the queue can be declared");
}

pub(super) async fn publish(broker: &Broker, queue: &Queue, message: Message) {
    broker.publish_message(Destination::now(queue.clone()), message).await.expect("the broker takes the message");
}

pub(super) async fn publish_after(broker: &Broker, queue: &Queue, delay: Duration, message: Message) {
    broker.publish_message(Destination::after(queue.clone(), delay), message).await.expect("the broker takes it");
}

pub(super) async fn publish_ids(broker: &Broker, queue: &Queue, ids: &[&str]) {
    for id in ids {
        publish(broker, queue, message(id)).await;
    }
}

pub(super) async fn consume(broker: &Broker, queue: &Queue, prefetch: u16) -> Box<dyn Consumer> {
    let subscription = Subscription::new(queue.clone(), prefetch);
    broker.transport().consume(subscription).await.expect("the queue can be consumed")
}

/// The next delivery, which must come.
pub(super) async fn receive(consumer: &mut Box<dyn Consumer>) -> Delivery {
    timeout(PATIENCE, consumer.next()).await.expect("a delivery comes").expect("the consumer has not ended")
}

/// Receives and settles `count` messages, and tells their ids.
pub(super) async fn drain(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<String> {
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let delivery = receive(consumer).await;
        ids.push(id(&delivery));
        delivery.ack().await.expect("a fresh delivery can be settled");
    }
    ids
}

/// Nothing comes.
pub(super) async fn quiet(consumer: &mut Box<dyn Consumer>) {
    if let Ok(surprise) = timeout(QUIET, consumer.next()).await {
        panic!("nothing was to come, and this came: {surprise:?}");
    }
}

pub(super) fn id(delivery: &Delivery) -> String {
    delivery.message.id().as_str().to_owned()
}

/// The process ends with what it held.
pub(super) async fn die(broker: Broker, consumer: Box<dyn Consumer>, held: Vec<Delivery>) {
    drop(consumer);
    drop(held);
    broker.close().await;
}

/// Asks until the answer is yes; counts may lag behind.
pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
    let asking = async {
        while !ask().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, asking).await.is_ok(), "{what}: not so, even after {PATIENCE:?}");
}
