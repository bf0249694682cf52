use std::{collections::BTreeSet, time::Duration};

use crate::{
    child::Process,
    support::{Folder, consume, id, publish, quiet, receive},
};

const LEASE: Duration = Duration::from_secs(2);

async fn holding(folder: &Folder) -> Process {
    let broker = folder.broker();
    for id in ["1", "2", "3"] {
        publish(&broker, id).await;
    }
    broker.close().await;
    let mut process = Process::start("hold", &folder.url("?claim_lease=2s"));
    for id in ["1", "2", "3"] {
        assert_eq!(process.says().await, format!("holds {id}"));
    }
    process
}

#[tokio::test]
async fn a_killed_process_loses_nothing() {
    let folder = Folder::new();
    let mut process = holding(&folder).await;
    let broker = celeriac_broker::Broker::new(&folder.url("?claim_lease=2s")).unwrap();
    let mut consumer = consume(&broker, 3).await;
    // It renews, so its claims outlast their lease by far.
    quiet(&mut consumer, 2 * LEASE).await;
    process.kill();
    let mut back = BTreeSet::new();
    for _ in 0..3 {
        let delivery = receive(&mut consumer).await;
        assert_eq!(delivery.deliveries, 2);
        back.insert(id(&delivery));
        delivery.ack().await.unwrap();
    }
    assert_eq!(back.len(), 3);
    quiet(&mut consumer, Duration::from_millis(300)).await;
}

#[tokio::test]
async fn the_ack_of_a_process_that_slept_too_long_is_refused() {
    let folder = Folder::new();
    let mut process = holding(&folder).await;
    let broker = celeriac_broker::Broker::new(&folder.url("?claim_lease=2s")).unwrap();
    let mut consumer = consume(&broker, 3).await;
    process.signal("STOP");
    let mut again = Vec::new();
    for _ in 0..3 {
        again.push(receive(&mut consumer).await);
    }
    process.signal("CONT");
    process.tell("acknowledge");
    for _ in 0..3 {
        let answer = process.says().await;
        assert!(answer.contains("DeliveryLost"), "{answer}");
    }
    for delivery in again {
        delivery.ack().await.expect("whoever has it can settle it");
    }
}
