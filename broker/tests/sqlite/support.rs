use std::{path::PathBuf, time::Duration};

use celeriac_broker::{
    Broker, Consumer, Delivery, Headers, Message, Properties, Queue,
    message::names,
    transport::{Destination, Subscription},
};
use tokio::time::timeout;

/// Longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with one database, gone at the end.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("queues.db")
    }

    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        self.0.path().join(format!("queues.db{suffix}"))
    }

    pub(crate) fn url(&self, options: &str) -> String {
        format!("sqlite://{}{options}", self.file().display())
    }

    pub(crate) fn broker(&self) -> Broker {
        Broker::new(&self.url("")).unwrap()
    }
}

pub(crate) fn queue() -> Queue {
    Queue::new("work").unwrap()
}

pub(crate) fn message(id: &str) -> Message {
    let mut headers = Headers::default();
    headers.set(names::ID, id.to_owned());
    Message::new(Properties::default(), headers, id.as_bytes().to_vec())
}

pub(crate) async fn publish(broker: &Broker, id: &str) {
    broker.publish_message(Destination::now(queue()), message(id)).await.unwrap();
}

pub(crate) async fn consume(broker: &Broker, prefetch: u16) -> Box<dyn Consumer> {
    broker.transport().consume(Subscription::new(queue(), prefetch)).await.unwrap()
}

pub(crate) async fn receive(consumer: &mut Box<dyn Consumer>) -> Delivery {
    timeout(PATIENCE, consumer.next()).await.expect("a delivery comes").expect("the consumer goes on")
}

/// Receives the next message, settles it, and tells its id.
pub(crate) async fn run(consumer: &mut Box<dyn Consumer>) -> String {
    let delivery = receive(consumer).await;
    let id = id(&delivery);
    delivery.ack().await.unwrap();
    id
}

pub(crate) async fn quiet(consumer: &mut Box<dyn Consumer>, span: Duration) {
    if let Ok(surprise) = timeout(span, consumer.next()).await {
        panic!("nothing was to come, and this came: {surprise:?}");
    }
}

pub(crate) fn id(delivery: &Delivery) -> String {
    delivery.message.id().as_str().to_owned()
}
