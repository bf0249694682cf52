//! What a second process of these tests does.

#[path = "../../../tests/support/twin.rs"]
mod twin;

use std::time::{Duration, Instant};

use celeriac_broker::Broker;

pub(crate) use self::twin::Process;
use self::twin::say;
use crate::support::{consume, id, receive};

/// Waits for the parent's next word.
fn told() -> String {
    std::io::stdin().lines().next().unwrap().unwrap()
}

/// Does nothing where nobody has started it as a child.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn plays_its_role() {
    let Some((role, url)) = twin::role() else { return };
    let broker = Broker::new(&url).unwrap();
    match role.as_str() {
        "hold" => hold(&broker).await,
        "work" => work(&broker).await,
        role => panic!("no role {role}"),
    }
    broker.close().await;
}

/// Holds three messages, and tries to acknowledge them when it is told to.
async fn hold(broker: &Broker) {
    let mut consumer = consume(broker, 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let delivery = receive(&mut consumer).await;
        say(&format!("holds {}", id(&delivery)));
        held.push(delivery);
    }
    told();
    for delivery in held {
        say(&format!("{:?}", delivery.ack().await));
    }
    told();
}

/// Runs no-ops for two seconds, one at a time; tells how many, and the longest that one took to come.
async fn work(broker: &Broker) {
    let mut consumer = consume(broker, 1).await;
    say("ready");
    told();
    let (begun, mut count, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        receive(&mut consumer).await.ack().await.unwrap();
        longest = longest.max(asked.elapsed());
        count += 1;
    }
    say(&format!("{count} {}", longest.as_millis()));
    told();
}
