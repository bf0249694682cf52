//! A broker's restart loses no delayed message, and delivers none early.

use std::time::{Duration, Instant};

use celeriac_broker::{
    Broker, Queue,
    transport::{Destination, Subscription},
};

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
        broker.publish_message(to, message(&number.to_string())).await.unwrap();
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
