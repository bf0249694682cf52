//! Delays on RabbitMQ: never early, hardly late, in order, and not held up by a queue that is gone.

use std::time::{Duration, Instant};

use celeriac_broker::{
    Broker, Consumer, Queue,
    transport::{Destination, Subscription, Verdict},
};
use futures_util::{StreamExt, stream};

use crate::{
    amqp_steps::message,
    support::{BOUND, amqp_url, eventually, unique, within},
};

async fn consumer(broker: &Broker, queue: &Queue, prefetch: u16) -> Box<dyn Consumer> {
    broker.transport().consume(Subscription::new(queue.clone(), prefetch)).await.unwrap()
}

#[tokio::test]
async fn ten_thousand_random_delays_are_never_early_hardly_late_and_in_order() {
    const COUNT: usize = 10_000;
    let broker = Broker::new(&amqp_url()).unwrap();
    let queue = Queue::new(unique("delays")).unwrap();
    let mut consumer = consumer(&broker, &queue, 300).await;

    let publishing = async {
        let start = Instant::now();
        let publishes = (0..COUNT).map(|number| {
            let delay = Duration::from_micros(rand::random_range(1..45_000_000));
            let to = Destination::after(queue.clone(), delay);
            let (broker, message) = (broker.clone(), message(&number.to_string()));
            async move {
                let published = start.elapsed();
                broker.publish_message(to, message).await.unwrap();
                published + delay
            }
        });
        let due: Vec<Duration> = stream::iter(publishes).buffered(512).collect().await;
        (start, due)
    };
    let receiving = async {
        let mut arrivals = Vec::with_capacity(COUNT);
        while arrivals.len() < COUNT {
            let delivery = within(BOUND, consumer.next()).await.unwrap();
            arrivals.push((delivery.message.id().as_str().parse::<usize>().unwrap(), Instant::now()));
            delivery.ack().await.unwrap();
        }
        arrivals
    };
    let ((start, due), arrivals) = tokio::join!(publishing, receiving);

    let mut lateness = Vec::with_capacity(COUNT);
    let mut latest_due = Duration::ZERO;
    for (number, at) in arrivals {
        let (due, at) = (due[number], at - start);
        assert!(at >= due, "number {number} was {:?} early", due - at);
        assert!(
            due + Duration::from_secs(1) >= latest_due,
            "number {number} came after one due {:?} later",
            latest_due - due
        );
        latest_due = latest_due.max(due);
        lateness.push(at - due);
    }
    lateness.sort();
    let p99 = lateness[COUNT * 99 / 100];
    eprintln!("late: median {:?}, p99 {p99:?}, worst {:?}", lateness[COUNT / 2], lateness[COUNT - 1]);
    assert!(p99 <= Duration::from_millis(500), "p99 is {p99:?}");
}

#[tokio::test]
async fn messages_for_a_deleted_queue_hold_up_no_other_and_are_kept() {
    let broker = Broker::new(&amqp_url()).unwrap();
    let (gone, kept) = (Queue::new(unique("gone")).unwrap(), Queue::new(unique("kept")).unwrap());
    let delay = Duration::from_millis(700);
    // More than the broker has in flight between two levels.
    for number in 0..100 {
        let to = Destination::after(gone.clone(), delay);
        broker.publish_message(to, message(&format!("{}-{number}", gone.name))).await.unwrap();
    }
    broker.transport().delete(&gone.name).await.unwrap();

    let mut consumer = consumer(&broker, &kept, 1).await;
    for delay in [delay * 3, delay * 2, Duration::from_millis(100)] {
        let start = Instant::now();
        broker.publish_message(Destination::after(kept.clone(), delay), message("kept")).await.unwrap();
        within(BOUND, consumer.next()).await.unwrap().ack().await.unwrap();
        assert!(start.elapsed() < delay + Duration::from_secs(2), "{delay:?} took {:?}", start.elapsed());
    }

    let undeliverable = Queue::new("celeriac.undeliverable").unwrap().name;
    let mut found = 0;
    let stray = eventually(BOUND, || async {
        let mut seen = 0;
        let mut count = |message: &celeriac_broker::Message| {
            let ours = message.id().as_str().starts_with(gone.name.as_str());
            seen += u32::from(ours);
            if ours { Verdict::Delete } else { Verdict::Keep }
        };
        broker.transport().sweep(&undeliverable, 10_000, &mut count).await.unwrap();
        (seen > 0).then_some(seen)
    });
    found += stray.await;
    assert_eq!(found, 100);
}

#[tokio::test]
async fn a_delayed_message_for_one_queue_reaches_no_queue_with_a_similar_name() {
    let broker = Broker::new(&amqp_url()).unwrap();
    let short = unique("b");
    let (short, long) = (Queue::new(&short).unwrap(), Queue::new(format!("a.{short}")).unwrap());
    let mut shorts = consumer(&broker, &short, 1).await;
    let mut longs = consumer(&broker, &long, 1).await;
    let delay = Duration::from_millis(300);
    broker.publish_message(Destination::after(long.clone(), delay), message("long")).await.unwrap();
    let delivery = within(BOUND, longs.next()).await.unwrap();
    assert_eq!(delivery.message.id().as_str(), "long");
    delivery.ack().await.unwrap();
    broker.publish_message(Destination::now(short.clone()), message("short")).await.unwrap();
    let delivery = within(BOUND, shorts.next()).await.unwrap();
    assert_eq!(delivery.message.id().as_str(), "short");
    delivery.ack().await.unwrap();
}
