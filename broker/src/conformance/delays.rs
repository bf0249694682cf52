use std::time::Duration;

use tokio::time::Instant;

use super::{
    Fixture,
    steps::{LATENESS, consume, declared, message, publish, publish_after, quiet, receive},
};
use crate::{Error, transport::Destination, transport::MAX_DELAY};

/// A delayed message is never early, and not much late.
pub async fn a_delay_is_never_early(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "early").await;
    let mut consumer = consume(&broker, &queue, 16).await;
    for delay in [1_u64, 50, 130, 333, 777].map(Duration::from_millis) {
        let asked = Instant::now();
        publish_after(&broker, &queue, delay, message("delayed")).await;
        let delivery = receive(&mut consumer).await;
        let waited = asked.elapsed();
        assert!(waited >= delay, "asked for {delay:?}, and it came after {waited:?}");
        assert!(waited < delay + LATENESS, "asked for {delay:?}, and it came only after {waited:?}");
        delivery.ack().await.unwrap();
    }
}

/// What is due first comes first, whatever was published first.
pub async fn a_short_delay_does_not_wait_behind_a_long_one(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "behind").await;
    publish_after(&broker, &queue, Duration::from_secs(24 * 60 * 60), message("tomorrow")).await;
    publish_after(&broker, &queue, Duration::from_millis(2600), message("last")).await;
    publish_after(&broker, &queue, Duration::from_millis(1300), message("second")).await;
    publish(&broker, &queue, message("first")).await;
    let mut consumer = consume(&broker, &queue, 16).await;
    for expected in ["first", "second", "last"] {
        let delivery = receive(&mut consumer).await;
        assert_eq!(delivery.message.id().as_str(), expected);
        delivery.ack().await.unwrap();
    }
    quiet(&mut consumer).await;
}

/// A delayed message waits at the broker, not in the process that published it.
pub async fn a_delayed_message_outlives_its_process(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "delayed-outlives").await;
    let (asked, delay) = (Instant::now(), Duration::from_millis(700));
    publish_after(&broker, &queue, delay, message("delayed")).await;
    broker.close().await;
    let next = fixture.broker();
    let mut consumer = consume(&next, &queue, 1).await;
    receive(&mut consumer).await.ack().await.unwrap();
    assert!(asked.elapsed() >= delay);
}

/// 300 days are taken, and wait; a moment more is refused before anything is sent.
pub async fn the_longest_delay_is_taken_and_a_longer_one_refused(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "longest").await;
    publish_after(&broker, &queue, MAX_DELAY, message("in 300 days")).await;
    let longer = Destination::after(queue.clone(), MAX_DELAY + Duration::from_millis(1));
    let refusal = broker.publish_message(longer, message("later")).await;
    assert!(matches!(refusal, Err(Error::DelayTooLong { .. })), "{refusal:?}");
    quiet(&mut consume(&broker, &queue, 1).await).await;
}

/// Delayed messages are counted apart from ready ones; where other queues' can't be told apart, at least these are.
pub async fn delayed_messages_are_counted(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "delayed-count").await;
    let (hour, transport) = (Duration::from_secs(3600), broker.transport());
    publish_after(&broker, &queue, hour, message("1")).await;
    publish_after(&broker, &queue, hour, message("2")).await;
    publish(&broker, &queue, message("ready")).await;
    let delayed = transport.delayed(&queue.name).await.unwrap();
    let shared = transport.capabilities().distributed;
    assert!(delayed.is_some_and(|count| count == 2 || shared && count > 2), "{delayed:?}");
}
