use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use super::{
    Fixture,
    steps::{
        PATIENCE, consume, declare, declared, drain, eventually, id, message, publish, publish_ids, quiet, receive,
    },
};

/// A consumer that waits on an empty queue is woken by a publish of its own process and of another one.
pub async fn a_waiting_consumer_is_woken(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "woken").await;
    let (other, mut consumer) = (fixture.broker(), consume(&broker, &queue, 1).await);
    for (publisher, expected) in [(&broker, "own"), (&other, "another's")] {
        let (delivery, ()) =
            tokio::join!(receive(&mut consumer), async { publish(publisher, &queue, message(expected)).await });
        assert_eq!(id(&delivery), expected);
        delivery.ack().await.unwrap();
    }
}

/// `next` may be dropped at any time.
pub async fn a_dropped_next_loses_nothing(fixture: &impl Fixture) {
    const COUNT: usize = 50;
    let (broker, queue) = declared(fixture, "dropped-next").await;
    let mut consumer = consume(&broker, &queue, 4).await;
    let mut seen = BTreeSet::new();
    for n in 0..COUNT {
        publish(&broker, &queue, message(&n.to_string())).await;
        // Mostly too short for anything to come, so that the future is dropped at each of its awaits.
        if let Ok(Some(delivery)) = timeout(Duration::from_micros(50 * n as u64), consumer.next()).await {
            seen.insert(id(&delivery));
            delivery.ack().await.unwrap();
        }
    }
    seen.extend(drain(&mut consumer, COUNT - seen.len()).await);
    assert_eq!(seen.len(), COUNT);
    quiet(&mut consumer).await;
}

/// No more is delivered than `prefetch` allows unsettled; each settlement makes room for one.
pub async fn prefetch_bounds_what_is_unsettled(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "prefetch").await;
    publish_ids(&broker, &queue, &["1", "2", "3", "4"]).await;
    let mut consumer = consume(&broker, &queue, 2).await;
    let (first, second) = (receive(&mut consumer).await, receive(&mut consumer).await);
    quiet(&mut consumer).await;
    second.ack().await.unwrap();
    let third = receive(&mut consumer).await;
    quiet(&mut consumer).await;
    for held in [first, third] {
        held.ack().await.unwrap();
    }
    drain(&mut consumer, 1).await;
}

/// What one consumer holds another one of the same process does not get.
pub async fn two_consumers_share(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "share").await;
    publish_ids(&broker, &queue, &["1", "2"]).await;
    let (mut one, mut two) = (consume(&broker, &queue, 1).await, consume(&broker, &queue, 1).await);
    let held = [receive(&mut one).await, receive(&mut two).await];
    assert_ne!(id(&held[0]), id(&held[1]));
    for delivery in held {
        delivery.ack().await.unwrap();
    }
}

/// Nor does one of another process.
pub async fn two_processes_share(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "share-processes").await;
    let other = fixture.broker();
    publish_ids(&broker, &queue, &["1", "2"]).await;
    let (mut one, mut two) = (consume(&broker, &queue, 1).await, consume(&other, &queue, 1).await);
    let held = [receive(&mut one).await, receive(&mut two).await];
    assert_ne!(id(&held[0]), id(&held[1]));
    for delivery in held {
        delivery.ack().await.unwrap();
    }
}

/// After `stop`, what was fetched and not yet returned still comes out, or goes to somebody else.
pub async fn stop_gives_back_what_was_not_started(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "stop").await;
    let ids = ["1", "2", "3", "4", "5", "6"];
    publish_ids(&broker, &queue, &ids).await;
    let mut consumer = consume(&broker, &queue, 4).await;
    let mut seen = drain(&mut consumer, 1).await;
    consumer.stop().await;
    while let Some(delivery) = timeout(PATIENCE, consumer.next()).await.expect("a stopped consumer ends") {
        seen.push(id(&delivery));
        delivery.ack().await.unwrap();
    }
    assert!(!consumer.is_connected());
    drop(consumer);
    let mut next = consume(&broker, &queue, 4).await;
    seen.extend(drain(&mut next, ids.len() - seen.len()).await);
    seen.sort();
    assert_eq!(seen, ids);
    quiet(&mut next).await;
}

/// What is held when its consumer stops can be settled after it.
pub async fn what_is_unsettled_at_stop_can_still_be_settled(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "stop-held").await;
    publish(&broker, &queue, message("held")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let held = receive(&mut consumer).await;
    consumer.stop().await;
    held.ack().await.unwrap();
    drop(consumer);
    quiet(&mut consume(&broker, &queue, 1).await).await;
}

/// A consumer whose queue is deleted goes on when the queue is back.
pub async fn a_consumer_outlives_the_deletion_of_its_queue(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "deleted").await;
    let mut consumer = consume(&broker, &queue, 1).await;
    broker.transport().delete(&queue.name).await.unwrap();
    declare(&broker, &queue).await;
    publish(&broker, &queue, message("after")).await;
    assert_eq!(drain(&mut consumer, 1).await, ["after"]);
    eventually("it is connected", || async { consumer.is_connected() }).await;
}
