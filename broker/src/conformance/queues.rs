use std::time::Duration;

use super::{
    Fixture,
    steps::{consume, declared, drain, eventually, message, publish, publish_after, publish_ids, quiet, receive},
};
use crate::{
    Broker, QueueInfo, QueueName,
    transport::{Destination, Verdict},
};

/// A ping is answered where the broker can be reached.
pub async fn a_ping_is_answered(fixture: &impl Fixture) {
    fixture.broker().transport().ping().await.unwrap();
}

/// Declaring twice is declaring once, and brings `<queue>.dead` along.
pub async fn a_declared_queue_is_there_with_its_dead_letter_queue(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "declared").await;
    broker.transport().declare(&queue).await.unwrap();
    for name in [queue.name.clone(), queue.name.dead().unwrap()] {
        assert_eq!(info(&broker, &name).await.name, name);
        if let Some(queues) = broker.transport().queues().await.unwrap() {
            assert_eq!(queues.iter().filter(|info| info.name == name).count(), 1, "{name} is listed once");
        }
    }
}

/// A queue that nobody declared is not made by asking for it.
pub async fn an_unknown_queue_is_none(fixture: &impl Fixture) {
    let broker = fixture.broker();
    let unknown = fixture.queue("unknown").name;
    for _ in 0..2 {
        assert_eq!(broker.transport().queue(&unknown).await.unwrap(), None);
    }
}

/// Ready and running messages and consumers are counted, or shown as unknown.
pub async fn counts_are_true_or_unknown(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "counts").await;
    publish_ids(&broker, &queue, &["1", "2", "3"]).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let held = receive(&mut consumer).await;
    eventually("two are ready, one is running, one consumes", || async {
        let info = info(&broker, &queue.name).await;
        info.ready.is_none_or(|count| count == 2)
            && info.running.is_none_or(|count| count == 1)
            && info.consumers.is_none_or(|count| count == 1)
            && info.oldest.is_none_or(|age| age < Duration::from_secs(60))
    })
    .await;
    held.ack().await.unwrap();
    drain(&mut consumer, 2).await;
    eventually("nothing is left", || async {
        let info = info(&broker, &queue.name).await;
        info.ready.unwrap_or(0) + info.running.unwrap_or(0) + info.delayed.unwrap_or(0) == 0 && info.oldest.is_none()
    })
    .await;
}

/// Dead letters can be published, counted, consumed and moved as in any queue.
pub async fn the_dead_letter_queue_is_an_ordinary_queue(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "dead").await;
    let dead = broker.queue(queue.name.dead().unwrap().as_str()).unwrap();
    publish_ids(&broker, &dead, &["1", "2"]).await;
    eventually("two are dead", || async { info(&broker, &dead.name).await.ready.is_none_or(|count| count == 2) }).await;
    let swept = broker
        .transport()
        .sweep(&dead.name, 1, &mut |found| {
            Verdict::Move(Box::new(Destination::now(queue.clone())), Box::new(found.clone()))
        })
        .await
        .unwrap();
    assert_eq!((swept.seen, swept.moved), (1, 1));
    drain(&mut consume(&broker, &queue, 1).await, 1).await;
    drain(&mut consume(&broker, &dead, 1).await, 1).await;
}

/// Purging deletes what is ready; what is delayed or held stays.
pub async fn purge_deletes_what_is_ready(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "purge").await;
    publish(&broker, &queue, message("held")).await;
    let mut consumer = consume(&broker, &queue, 1).await;
    let held = receive(&mut consumer).await;
    publish_ids(&broker, &queue, &["1", "2", "3"]).await;
    publish_after(&broker, &queue, Duration::from_millis(1500), message("delayed")).await;
    assert_eq!(broker.transport().purge(&queue.name).await.unwrap(), 3);
    held.ack().await.unwrap();
    assert_eq!(drain(&mut consumer, 1).await, ["delayed"]);
    quiet(&mut consumer).await;
}

/// A deleted queue takes its messages along; dead letters stay until somebody deletes them too.
pub async fn delete_keeps_dead_letters(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "delete").await;
    let dead = broker.queue(queue.name.dead().unwrap().as_str()).unwrap();
    publish(&broker, &queue, message("gone")).await;
    publish(&broker, &dead, message("kept")).await;
    broker.transport().delete(&queue.name).await.unwrap();
    assert_eq!(broker.transport().queue(&queue.name).await.unwrap(), None);
    quiet(&mut consume(&broker, &queue, 1).await).await;
    assert_eq!(drain(&mut consume(&broker, &dead, 1).await, 1).await, ["kept"]);

    let (broker, empty) = declared(fixture, "delete-empty").await;
    broker.transport().delete(&empty.name).await.unwrap();
    assert_eq!(broker.transport().queue(&empty.name.dead().unwrap()).await.unwrap(), None);
}

/// Of what a sweep shows, only what it is told to delete goes, and what it moves is in its new place.
pub async fn sweep_loses_nothing(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "sweep").await;
    let (other_broker, other) = declared(fixture, "sweep-target").await;
    publish_ids(&broker, &queue, &["keep-1", "delete", "move", "keep-2"]).await;
    let mut shown = Vec::new();
    let swept = broker
        .transport()
        .sweep(&queue.name, 100, &mut |found| {
            shown.push(found.id().as_str().to_owned());
            match found.id().as_str() {
                "delete" => Verdict::Delete,
                "move" => Verdict::Move(Box::new(Destination::now(other.clone())), Box::new(message("moved"))),
                _ => Verdict::Keep,
            }
        })
        .await
        .unwrap();
    shown.sort();
    assert_eq!(shown, ["delete", "keep-1", "keep-2", "move"]);
    assert_eq!((swept.seen, swept.deleted, swept.moved), (4, 1, 1));
    let mut consumer = consume(&broker, &queue, 1).await;
    let mut left = drain(&mut consumer, 2).await;
    left.sort();
    assert_eq!(left, ["keep-1", "keep-2"]);
    quiet(&mut consumer).await;
    assert_eq!(drain(&mut consume(&other_broker, &other, 1).await, 1).await, ["moved"]);
}

/// A sweep looks at no more than it is asked to, and leaves the one that it stops at.
pub async fn sweep_stops_where_it_is_told(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "sweep-stop").await;
    publish_ids(&broker, &queue, &["1", "2", "3", "4"]).await;
    let transport = broker.transport();
    let limited = transport.sweep(&queue.name, 2, &mut |_| Verdict::Keep).await.unwrap();
    assert_eq!((limited.seen, limited.deleted, limited.moved), (2, 0, 0));
    let mut shown = 0;
    let stopped = transport
        .sweep(&queue.name, 100, &mut |_| {
            shown += 1;
            if shown == 3 { Verdict::Stop } else { Verdict::Delete }
        })
        .await
        .unwrap();
    assert_eq!((shown, stopped.deleted), (3, 2));
    drain(&mut consume(&broker, &queue, 1).await, 2).await;
}

/// The queue, which must be there.
async fn info(broker: &Broker, name: &QueueName) -> QueueInfo {
    broker.transport().queue(name).await.unwrap().expect("the queue is there")
}

/// However often all of a short queue is looked through, what stays in it stays in its order.
pub async fn a_look_leaves_the_order_as_it_was(fixture: &impl Fixture) {
    let (broker, queue) = declared(fixture, "looks").await;
    let ids: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    publish_ids(&broker, &queue, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for looked_at in [7, 20, 20, 20] {
        let mut shown = Vec::new();
        let look = &mut |found: &crate::Message| {
            shown.push(found.id().as_str().to_owned());
            Verdict::Keep
        };
        broker.transport().sweep(&queue.name, looked_at, look).await.unwrap();
        assert_eq!(shown, ids[..looked_at]);
    }
}
