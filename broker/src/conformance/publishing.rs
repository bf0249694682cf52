use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};

use super::{
    Fixture,
    steps::{consume, declare, declared, drain, message, prioritised, publish, publish_ids, quiet, receive},
};
use crate::{Error, HeaderValue, Headers, Message, Properties, transport::Destination};

/// What is published comes out, once, as its first delivery.
pub async fn a_published_message_is_delivered(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "publish").await;
    publish(&broker, &queue, message("one")).await;
    let mut consumer = consume(&broker, &queue, 4).await;
    let delivery = receive(&mut consumer).await;
    assert_eq!(unordered(delivery.message.clone()), unordered(message("one")));
    assert_eq!(delivery.queue.name, queue.name);
    assert_eq!(delivery.deliveries, 1);
    delivery.ack().await.unwrap();
    quiet(&mut consumer).await;
}

/// A table's order is not kept by every transport, and means nothing to anybody.
fn unordered(mut message: Message) -> Message {
    let mut headers: Vec<_> = message.headers.into_iter().collect();
    headers.sort_by(|(left, _), (right, _)| left.cmp(right));
    message.headers = headers.into_iter().collect();
    message
}

/// Headers of every type, known or not, every property and every byte of the body come out as they went in.
pub async fn every_part_of_a_message_survives(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "parts").await;
    let mut sent = message("parts");
    let table = vec![
        ("bytes".to_owned(), HeaderValue::Bytes(vec![0, 159, 146, 150])),
        ("inner".to_owned(), HeaderValue::List(vec![HeaderValue::Null, HeaderValue::Int(-1), "x".into()])),
    ];
    for (name, value) in [
        ("unknown-null", HeaderValue::Null),
        ("unknown-bool", true.into()),
        ("unknown-int", i64::MIN.into()),
        ("unknown-float", HeaderValue::Float(-0.1)),
        ("unknown-text", HeaderValue::from("\u{1f980} \"quoted\"\n".to_owned())),
        ("unknown-bytes", HeaderValue::Bytes((0..=255).collect())),
        ("unknown-time", HeaderValue::Timestamp(1_700_000_000)),
        ("unknown-decimal", HeaderValue::Decimal { scale: 2, value: 12_345 }),
        ("unknown-table", HeaderValue::Table(table)),
        ("unknown-empty-list", HeaderValue::List(Vec::new())),
        ("unknown-empty-table", HeaderValue::Table(Vec::new())),
        ("", HeaderValue::from("a header without a name")),
    ] {
        sent.headers.set(name, value);
    }
    sent.properties = Properties {
        content_type: Some("application/x-unheard-of".into()),
        content_encoding: Some("binary".into()),
        priority: Some(3),
        correlation_id: Some("correlation".into()),
        reply_to: Some("reply".into()),
        expiration: None,
    };
    sent.body = (0..=255).collect();
    publish(&broker, &queue, sent.clone()).await;
    let delivery = receive(&mut consume(&broker, &queue, 1).await).await;
    assert_eq!(delivery.message.properties, sent.properties);
    assert_eq!(delivery.message.body, sent.body);
    // AMQP's tables have no order.
    assert_eq!(sorted(&delivery.message.headers), sorted(&sent.headers));
}

fn sorted(headers: &Headers) -> Vec<(&str, &HeaderValue)> {
    let mut headers: Vec<_> = headers.iter().collect();
    headers.sort_by_key(|(name, _)| *name);
    headers
}

/// A message without any header, property or body is delivered like any other.
pub async fn a_message_that_is_no_task_survives(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "foreign").await;
    publish(&broker, &queue, Message::default()).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let delivery = receive(&mut consumer).await;
    assert_eq!(delivery.message.body.len(), 0);
    assert_eq!(delivery.message.task(), None);
    delivery.ack().await.unwrap();
}

/// A body of 4 MiB comes out whole.
pub async fn a_large_body_survives(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "large").await;
    let mut sent = message("large");
    sent.body = (0..4 * 1024 * 1024_u32).map(|byte| (byte % 251) as u8).collect();
    publish(&broker, &queue, sent.clone()).await;
    let delivery = receive(&mut consume(&broker, &queue, 1).await).await;
    assert!(delivery.message.body == sent.body, "the body has changed");
    delivery.ack().await.unwrap();
}

/// 1,000 messages, 512 of them in flight, arrive exactly once each.
pub async fn hundreds_in_flight_all_arrive_once(fixture: &impl Fixture) {
    const COUNT: usize = 1000;
    let (broker, queue) = declared(fixture, "flight").await;
    let publishes = (0..COUNT).map(|n| {
        let (broker, queue) = (broker.clone(), queue.clone());
        async move { publish(&broker, &queue, message(&n.to_string())).await }
    });
    stream::iter(publishes).buffer_unordered(512).collect::<Vec<()>>().await;
    let mut consumer = consume(&broker, &queue, 64).await;
    let ids = drain(&mut consumer, COUNT).await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), COUNT);
    quiet(&mut consumer).await;
}

/// One consumer receives what one producer published in the order of publishing.
pub async fn messages_arrive_in_the_order_of_publishing(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "order").await;
    let ids = ["1", "2", "3", "4", "5", "6"];
    publish_ids(&broker, &queue, &ids).await;
    assert_eq!(drain(&mut consume(&broker, &queue, 1).await, ids.len()).await, ids);
}

/// On a queue with priorities the highest goes first, and equals go in the order of publishing.
pub async fn priorities_go_first(fixture: &impl Fixture) {
    let broker = fixture.broker();
    let queue = fixture.queue("priority").with_priorities();
    declare(&broker, &queue).await;
    for (id, priority) in [("low-1", 0), ("mid", 5), ("high", 9), ("low-2", 0)] {
        publish(&broker, &queue, prioritised(id, priority)).await;
    }
    let mut consumer = consume(&broker, &queue, 1).await;
    assert_eq!(drain(&mut consumer, 4).await, ["high", "mid", "low-1", "low-2"]);
}

/// A message waits for the next process where its publisher has ended.
pub async fn a_message_outlives_its_process(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "outlives").await;
    publish(&broker, &queue, message("left")).await;
    broker.close().await;
    let next = fixture.broker();
    assert_eq!(drain(&mut consume(&next, &queue, 1).await, 1).await, ["left"]);
}

/// A closed broker refuses with an error of its own, and at once.
pub async fn a_closed_broker_says_so(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "closed").await;
    broker.close().await;
    let refusal = broker.publish_message(Destination::now(queue), message("late")).await;
    assert!(matches!(refusal, Err(Error::Closed)), "{refusal:?}");
    assert!(matches!(broker.transport().ping().await, Err(Error::Closed)));
    broker.close().await;
}
