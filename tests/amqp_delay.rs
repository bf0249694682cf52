//! Delays on RabbitMQ: never early, hardly late, in order, and not held up by a queue that is gone.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use celeriac_broker::{
    Broker, Consumer, Queue,
    transport::{Destination, Subscription, Verdict},
};
use futures_util::{StreamExt, stream};

use crate::{
    amqp_steps::message,
    support::{BOUND, amqp_url, eventually_ok, unique, within},
};

async fn consumer(broker: &Broker, queue: &Queue, prefetch: u16) -> Box<dyn Consumer> {
    broker.transport().consume(Subscription::new(queue.clone(), prefetch)).await.unwrap()
}

/// When each of many delayed messages was due, and when it came, in the order of coming; none twice, none early.
async fn delayed(count: usize, longest: Duration) -> Vec<(Duration, Duration)> {
    let broker = Broker::new(&amqp_url()).unwrap();
    let queue = Queue::new(unique("delays")).unwrap();
    let mut consumer = consumer(&broker, &queue, 300).await;
    let start = Instant::now();
    let publishes = (0..count).map(|number| {
        let delay = longest.mul_f64(rand::random());
        let to = Destination::after(queue.clone(), delay);
        let (broker, message) = (broker.clone(), message(&number.to_string()));
        async move {
            let published = start.elapsed();
            broker.publish_message(to, message).await.unwrap();
            published + delay
        }
    });
    let publishing = stream::iter(publishes).buffered(512).collect::<Vec<Duration>>();
    let receiving = async {
        let mut arrivals = Vec::with_capacity(count);
        while arrivals.len() < count {
            let delivery = within(longest + BOUND, consumer.next()).await.unwrap();
            arrivals.push((delivery.message.id().as_str().parse::<usize>().unwrap(), start.elapsed()));
            delivery.ack().await.unwrap();
        }
        arrivals
    };
    let (due, arrivals) = tokio::join!(publishing, receiving);
    let mut seen = vec![false; count];
    for (number, at) in &arrivals {
        assert!(!std::mem::replace(&mut seen[*number], true), "number {number} came twice");
        assert!(*at >= due[*number], "number {number} was early: {at:?} instead of {:?}", due[*number]);
    }
    arrivals.into_iter().map(|(number, at)| (due[number], at)).collect()
}

#[tokio::test]
async fn ten_thousand_random_delays_come_once_each_and_none_early() {
    assert_eq!(delayed(10_000, Duration::from_secs(30)).await.len(), 10_000);
}

/// How long messages without a delay take on this machine now, each sent when the one before has come: the 99th percentile.
async fn undelayed(count: usize) -> Duration {
    let broker = Broker::new(&amqp_url()).unwrap();
    let queue = Queue::new(unique("undelayed")).unwrap();
    let mut consumer = consumer(&broker, &queue, 1).await;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        broker.publish_message(Destination::now(queue.clone()), message("now")).await.unwrap();
        within(BOUND, consumer.next()).await.unwrap().ack().await.unwrap();
        took.push(start.elapsed());
    }
    took.sort();
    took[count * 99 / 100]
}

/// `.config/nextest.toml` lets nothing run beside it: it measures. A machine that is busy with other things gets as much longer
/// as its broker takes longer for messages without a delay: a message goes through five levels, more or less, each a write and a
/// read.
#[tokio::test]
async fn delays_are_hardly_late_and_in_order_when_run_alone() {
    let (arrivals, undelayed) = tokio::join!(delayed(1000, Duration::from_secs(20)), undelayed(1000));
    let mut lateness: Vec<Duration> = arrivals.iter().map(|(due, at)| at.saturating_sub(*due)).collect();
    lateness.sort();
    let p99 = lateness[lateness.len() * 99 / 100];
    eprintln!("late: median {:?}, p99 {p99:?}; undelayed: {undelayed:?}", lateness[lateness.len() / 2]);
    let slack = undelayed * 10;
    assert!(p99 <= Duration::from_millis(500) + slack, "p99 is {p99:?}, where undelayed messages take {undelayed:?}");
    let mut latest_due = Duration::ZERO;
    for (due, _) in arrivals {
        let in_order = due + Duration::from_secs(1) + slack >= latest_due;
        assert!(in_order, "due at {due:?}, came after one due at {latest_due:?}");
        latest_due = latest_due.max(due);
    }
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
        assert!(start.elapsed() < delay + Duration::from_secs(20), "{delay:?} took {:?}", start.elapsed());
    }

    let undeliverable = Queue::new("celeriac.undeliverable").unwrap().name;
    // A set: a message may have come there twice.
    let found = std::sync::Mutex::new(BTreeSet::new());
    let all = eventually_ok(BOUND, || async {
        let mut count = |message: &celeriac_broker::Message| {
            let id = message.id().as_str().to_owned();
            let ours = id.starts_with(gone.name.as_str());
            if ours {
                found.lock().unwrap().insert(id);
                Verdict::Delete
            } else {
                Verdict::Keep
            }
        };
        broker.transport().sweep(&undeliverable, 10_000, &mut count).await.unwrap();
        let count = found.lock().unwrap().len();
        if count == 100 { Ok(()) } else { Err(format!("{count} of 100")) }
    });
    all.await;
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

/// Since RabbitMQ 4.0 a quorum queue offers a message of priority 5 or more before those that came earlier, and looks for
/// expired ones only at what it would offer next.
#[tokio::test]
async fn a_delayed_message_is_not_held_up_by_a_later_one_of_a_higher_priority() {
    let broker = Broker::new(&amqp_url()).unwrap();
    let queue = Queue::new(unique("delayed-priorities")).unwrap().with_priorities();
    let mut consumer = consumer(&broker, &queue, 1).await;
    let publish = async |id: &str, priority: u8, delay: u64| {
        let mut message = message(id);
        message.properties.priority = Some(priority);
        let to = Destination::after(queue.clone(), Duration::from_millis(delay));
        broker.publish_message(to, message).await.unwrap();
    };
    let mut order = Vec::new();
    publish("earlier", 0, 1600).await;
    publish("signal", 0, 800).await;
    while order.len() < 3 {
        let delivery = within(BOUND, consumer.next()).await.unwrap();
        let id = delivery.message.id().as_str().to_owned();
        delivery.ack().await.unwrap();
        if id == "signal" {
            publish("later", 9, 1600).await;
        }
        order.push(id);
    }
    assert_eq!(order, ["signal", "earlier", "later"]);
}
