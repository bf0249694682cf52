//! What queues and exchanges are declared with. It is the same on every version of RabbitMQ: a broker that is upgraded finds what
//! it has, and so do workers of another version of ours.

use std::time::Duration;

use celeriac_broker::{Queue, transport::Destination};
use lapin::{
    ExchangeKind,
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

use crate::amqp_steps::{broker, message, queue, stranger};

fn table(entries: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), value.clone());
    }
    table
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn dead_lettering(dead: &str) -> FieldTable {
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", 100.into()),
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(dead)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

fn level(next: &str, millis: i64) -> FieldTable {
    table(&[
        ("x-queue-type", text("quorum")),
        ("x-message-ttl", millis.into()),
        ("x-dead-letter-exchange", text(next)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ])
}

/// The broker closes the channel of whoever declares something with other arguments than it has.
#[tokio::test]
async fn every_queue_has_these_arguments_on_every_version() {
    let broker = broker();
    let plain = queue("arguments");
    let (levelled, classic) = (queue("levelled").with_priorities(), queue("classic").classic().with_priorities());
    let celery = Queue::shared_with_celery(queue("celery").name.as_str()).unwrap();
    for queue in [&plain, &levelled, &classic, &celery] {
        broker.transport().declare(queue).await.unwrap();
    }
    let mut urgent = message("urgent");
    urgent.properties.priority = Some(9);
    broker.publish_message(Destination::after(plain.clone(), Duration::from_millis(100)), urgent).await.unwrap();

    let (_connection, channel) = stranger().await;
    let parked = || table(&[("x-queue-type", text("quorum")), ("x-delivery-limit", i32::MAX.into())]);
    let plain_dead = format!("{}.dead", plain.name);
    let levelled_dead = format!("{}.dead", levelled.name);
    let classic_dead = format!("{}.dead", classic.name);
    let classic_arguments = table(&[
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&classic_dead)),
        ("x-max-priority", 10.into()),
    ]);
    let expected = [
        (plain.name.to_string(), dead_lettering(&plain_dead)),
        (format!("{}.suspect", plain.name), dead_lettering(&plain_dead)),
        (plain_dead, parked()),
        (levelled.name.to_string(), dead_lettering(&levelled_dead)),
        (format!("{}.p1", levelled.name), dead_lettering(&levelled_dead)),
        (format!("{}.p9", levelled.name), dead_lettering(&levelled_dead)),
        (classic.name.to_string(), classic_arguments),
        (celery.name.to_string(), FieldTable::default()),
        ("celeriac.undeliverable".into(), parked()),
        ("celeriac.delay.v1.0".into(), level("celeriac.delay.v1.deliver", 100)),
        ("celeriac.delay.v1.27".into(), level("celeriac.delay.v1.26", 100 << 27)),
        ("celeriac.delay.v1.preferred.0".into(), level("celeriac.delay.v1.deliver", 100)),
        ("celeriac.delay.v1.preferred.27".into(), level("celeriac.delay.v1.preferred.26", 100 << 27)),
    ];
    for (name, arguments) in expected {
        let passive = QueueDeclareOptions::durable().passive();
        channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.unwrap();
        channel.queue_declare(name.as_str().into(), QueueDeclareOptions::durable(), arguments).await.unwrap();
    }
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let alternate = table(&[("alternate-exchange", text("celeriac.undeliverable"))]);
    let deliver = "celeriac.delay.v1.deliver".into();
    channel.exchange_declare(deliver, ExchangeKind::Topic, durable, alternate).await.unwrap();
}
