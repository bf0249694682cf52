//! A broker's restart loses no delayed message, and delivers none early; levels that were deleted are made again.

use std::time::{Duration, Instant};

use celeriac_broker::{
    Broker, Queue,
    transport::{Destination, Severity, Subscription},
};
use lapin::{Connection, ConnectionProperties, options::ExchangeDeleteOptions};

use crate::{
    amqp_steps::message,
    support::{BOUND, PrivateRabbit, within},
};

#[tokio::test]
async fn delays_survive_a_kill_of_the_broker() {
    let mut rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    let queue = Queue::new("waiting").unwrap();
    let start = Instant::now();
    let delays: Vec<Duration> = (0..50).map(|number| Duration::from_millis(500 * number + 37)).collect();
    for (number, delay) in delays.iter().enumerate() {
        let to = Destination::after(queue.clone(), *delay);
        let mut message = message(&number.to_string());
        message.properties.priority = Some(if number % 2 == 0 { 0 } else { 9 });
        broker.publish_message(to, message).await.unwrap();
    }
    rabbit.kill();
    rabbit.start_again().await;

    let broker = Broker::new(&rabbit.url()).unwrap();
    let mut consumer = broker.transport().consume(Subscription::new(queue, 10)).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < delays.len() {
        let delivery = within(BOUND, consumer.next()).await.unwrap();
        let number: usize = delivery.message.id().as_str().parse().unwrap();
        assert!(start.elapsed() >= delays[number], "{number} came early");
        // A broker that dies between two levels may have a message in both.
        if !seen.contains(&number) {
            seen.push(number);
        }
        delivery.ack().await.unwrap();
    }
}

#[tokio::test]
async fn delays_of_high_priorities_are_counted_checked_and_mended() {
    let rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    let queue = Queue::new("urgent").unwrap();
    let publish = async |id: &str| {
        let mut message = message(id);
        message.properties.priority = Some(9);
        broker.publish_message(Destination::after(queue.clone(), Duration::from_secs(3600)), message).await
    };
    let checked = async || {
        let findings = broker.transport().diagnose(&[]).await.unwrap();
        findings.into_iter().find(|finding| finding.subject == "delays").unwrap().severity
    };
    assert_eq!(broker.transport().delayed(&queue.name).await.unwrap(), Some(0));
    broker.transport().declare(&queue).await.unwrap();
    assert_eq!(broker.transport().delayed(&queue.name).await.unwrap(), Some(0));
    assert_eq!(checked().await, Severity::Fine);
    publish("first").await.unwrap();
    assert_eq!(broker.transport().delayed(&queue.name).await.unwrap(), Some(1));
    assert_eq!(checked().await, Severity::Fine);

    let stranger = Connection::connect(&rabbit.url(), ConnectionProperties::default()).await.unwrap();
    // An hour is 36,000 units: it enters at the level of 2^15.
    let level = "celeriac.delay.v1.preferred.15";
    let channel = stranger.create_channel().await.unwrap();
    channel.exchange_delete(level.into(), ExchangeDeleteOptions::default()).await.unwrap();
    assert_eq!(checked().await, Severity::Warning);
    publish("lost").await.unwrap_err();
    publish("next").await.unwrap();
    assert_eq!(broker.transport().delayed(&queue.name).await.unwrap(), Some(2));
    assert_eq!(checked().await, Severity::Fine);
}
