use std::time::Duration;

use tokio::time::Instant;

use super::{
    Fixture,
    steps::{consume, declared, die, drain, id, message, publish, quiet, receive},
};
use crate::transport::Destination;

/// What is settled does not come back, not even after its process ends.
pub async fn an_acknowledged_message_is_gone(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "ack").await;
    publish(&broker, &queue, message("done")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    receive(&mut consumer).await.ack().await.unwrap();
    die(broker, consumer, Vec::new()).await;
    quiet(&mut consume(&fixture.broker(), &queue, 1).await).await;
}

/// The copy stands in the original's stead: one of them is there, never both, never neither.
pub async fn replace_leaves_exactly_one(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "replace").await;
    publish(&broker, &queue, message("original")).await;
    let mut consumer = consume(&broker, &queue, 4).await;
    receive(&mut consumer).await.replace(&Destination::now(queue.clone()), &message("copy")).await.unwrap();
    let copy = receive(&mut consumer).await;
    assert_eq!((id(&copy).as_str(), copy.deliveries), ("copy", 1));
    quiet(&mut consumer).await;
    copy.ack().await.unwrap();
    die(broker, consumer, Vec::new()).await;
    quiet(&mut consume(&fixture.broker(), &queue, 4).await).await;
}

/// A copy waits as long as it is told, and its slot is free meanwhile.
pub async fn a_delayed_copy_comes_later(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "replace-later").await;
    publish(&broker, &queue, message("original")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let (asked, delay) = (Instant::now(), Duration::from_millis(800));
    receive(&mut consumer).await.replace(&Destination::after(queue.clone(), delay), &message("copy")).await.unwrap();
    publish(&broker, &queue, message("meanwhile")).await;
    assert_eq!(drain(&mut consumer, 2).await, ["meanwhile", "copy"]);
    assert!(asked.elapsed() >= delay);
}

/// A copy may go to another queue; that is how dead letters are made.
pub async fn a_copy_may_go_to_another_queue(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "replace-elsewhere").await;
    let dead = broker.queue(queue.name.dead().unwrap().as_str()).unwrap();
    publish(&broker, &queue, message("original")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    receive(&mut consumer).await.replace(&Destination::now(dead.clone()), &message("buried")).await.unwrap();
    quiet(&mut consumer).await;
    assert_eq!(drain(&mut consume(&broker, &dead, 1).await, 1).await, ["buried"]);
}

/// A given-back copy arrives with the count that its original had: nobody died.
pub async fn a_given_back_message_keeps_its_count(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "given-back").await;
    publish(&broker, &queue, message("again")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    for _ in 0..8 {
        let delivery = receive(&mut consumer).await;
        assert_eq!(delivery.deliveries, 1);
        let copy = delivery.message.given_back(delivery.deliveries);
        delivery.replace(&Destination::now(queue.clone()), &copy).await.unwrap();
    }
}
