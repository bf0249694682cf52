//! A broker that is killed, or that takes no messages, while a publisher is at work.

use std::{collections::HashSet, time::Duration};

use celeriac_broker::{
    Broker, Error, Queue,
    transport::{Destination, Verdict},
};
use futures_util::{StreamExt, stream};

use crate::{
    amqp_steps::message,
    support::{BOUND, PrivateRabbit, eventually},
};

#[tokio::test]
async fn whatever_was_published_is_there_after_the_broker_was_killed() {
    let mut rabbit = PrivateRabbit::start().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    let queue = Queue::new("durable").unwrap();
    broker.transport().declare(&queue).await.unwrap();

    let (kill, killed) = tokio::sync::oneshot::channel();
    let mut kill = Some(kill);
    let publishing = async {
        let sends = (0..20_000).map(|number| {
            let (broker, queue) = (&broker, &queue);
            async move {
                (number, broker.publish_message(Destination::now(queue.clone()), message(&number.to_string())).await)
            }
        });
        let mut results = stream::iter(sends).buffer_unordered(128);
        let (mut published, mut unknown) = (HashSet::new(), 0);
        while let Some((number, result)) = results.next().await {
            match result {
                Ok(()) => drop(published.insert(number)),
                Err(Error::Unconfirmed { .. }) => unknown += 1,
                Err(Error::Unreachable { .. }) => {}
                Err(error) => panic!("{number}: {error:?}"),
            }
            if published.len() == 2000
                && let Some(kill) = kill.take()
            {
                kill.send(()).unwrap();
            }
            if unknown > 0 {
                break;
            }
        }
        (published, unknown)
    };
    let killing = async {
        killed.await.unwrap();
        rabbit.kill();
        rabbit
    };
    let ((published, unknown), mut rabbit) = tokio::join!(publishing, killing);
    assert!(unknown > 0, "the kill hit between a publish and its confirmation");

    rabbit.start_again().await;
    let broker = Broker::new(&rabbit.url()).unwrap();
    let mut there = HashSet::new();
    let mut note = |message: &celeriac_broker::Message| {
        there.insert(message.id().as_str().parse::<i32>().unwrap());
        Verdict::Keep
    };
    eventually(BOUND, || async { broker.transport().ping().await.ok() }).await;
    broker.transport().sweep(&queue.name, 100_000, &mut note).await.unwrap();
    let lost: Vec<_> = published.difference(&there).collect();
    assert!(lost.is_empty(), "published and lost: {lost:?}");
}

#[tokio::test]
async fn an_alarm_at_the_broker_blocks_publishers_by_name_and_consumers_not_at_all() {
    let rabbit = PrivateRabbit::start().await;
    let broker = Broker::builder().url(&rabbit.url()).publish_timeout(Duration::from_millis(700)).build().unwrap();
    let queue = Queue::new("alarmed").unwrap();
    let publish = async |id: &str| broker.publish_message(Destination::now(queue.clone()), message(id)).await;
    publish("before").await.unwrap();
    rabbit.ctl(&["set_vm_memory_high_watermark", "0.000001"]).await;

    // The broker tells a publisher when it publishes; that one's fate is open.
    let blocked = eventually(BOUND, || async {
        match publish("during").await {
            Err(Error::Blocked { message, .. }) => Some(message),
            Ok(()) | Err(Error::Unconfirmed { .. }) => None,
            Err(error) => panic!("{error:?}"),
        }
    });
    let reason = blocked.await;
    assert!(reason.contains("memory"), "{reason}");
    let subscription = celeriac_broker::transport::Subscription::new(queue.clone(), 1);
    let mut consumer = broker.transport().consume(subscription).await.unwrap();
    consumer.next().await.unwrap().ack().await.unwrap();

    rabbit.ctl(&["set_vm_memory_high_watermark", "0.6"]).await;
    eventually(BOUND, || async { publish("after").await.ok() }).await;
}
