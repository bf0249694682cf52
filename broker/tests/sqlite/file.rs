use std::time::Duration;

use celeriac_broker::transport::Severity;
use futures_util::FutureExt;

use crate::support::{Folder, consume, id, message, publish, queue, quiet, receive};

#[tokio::test]
async fn a_dropped_delivery_comes_back_at_once_and_counted() {
    let folder = Folder::new();
    let broker = folder.broker();
    publish(&broker, "dropped").await;
    let mut consumer = consume(&broker, 1).await;
    for deliveries in 1..=4 {
        let delivery = receive(&mut consumer).await;
        assert_eq!((id(&delivery).as_str(), delivery.deliveries), ("dropped", deliveries));
        drop(delivery);
    }
}

#[tokio::test]
async fn what_a_stopped_consumer_did_not_hand_out_was_not_delivered() {
    let folder = Folder::new();
    let broker = folder.broker();
    for n in 0..20 {
        publish(&broker, &n.to_string()).await;
    }
    for _ in 0..5 {
        let mut consumer = consume(&broker, 20).await;
        receive(&mut consumer).await.ack().await.unwrap();
        consumer.stop().await;
        assert!(consumer.next().await.is_none());
    }
    let mut consumer = consume(&broker, 20).await;
    for _ in 5..20 {
        let delivery = receive(&mut consumer).await;
        assert_eq!(delivery.deliveries, 1);
        delivery.ack().await.unwrap();
    }
    quiet(&mut consumer, Duration::from_millis(100)).await;
}

#[tokio::test]
async fn an_ack_that_nobody_waits_for_makes_room_once() {
    let folder = Folder::new();
    let broker = folder.broker();
    for id in ["1", "2", "3"] {
        publish(&broker, id).await;
    }
    let mut consumer = consume(&broker, 1).await;
    let mut ack = Box::pin(receive(&mut consumer).await.ack());
    let lock = std::fs::File::open(folder.beside("-lock")).unwrap();
    lock.lock().unwrap();
    assert!((&mut ack).now_or_never().is_none(), "nobody can write");
    drop(ack);
    lock.unlock().unwrap();
    let second = receive(&mut consumer).await;
    assert_eq!(id(&second), "2");
    quiet(&mut consumer, Duration::from_millis(200)).await;
    second.ack().await.unwrap();
    assert_eq!(id(&receive(&mut consumer).await), "3");
}

#[tokio::test]
async fn publishes_in_flight_share_transactions() {
    const COUNT: u64 = 512;
    let folder = Folder::new();
    let broker = folder.broker();
    broker.transport().declare(&queue()).await.unwrap();
    let wal = || std::fs::metadata(folder.beside("-wal")).unwrap().len();
    let before = wal();
    let ids: Vec<String> = (0..COUNT).map(|n| n.to_string()).collect();
    futures_util::future::join_all(ids.iter().map(|id| publish(&broker, id))).await;
    // A transaction of its own writes the table's page and the index's at least.
    let alone = COUNT * 2 * 4096;
    assert!(wal() - before < alone / 8, "{} bytes for {COUNT} messages", wal() - before);
}

#[tokio::test]
async fn a_broker_does_nothing_before_it_is_used() {
    let folder = Folder::new();
    let broker = folder.broker();
    assert!(!folder.file().exists());
    broker.close().await;
    assert!(!folder.file().exists());
}

#[tokio::test]
async fn a_closed_file_stands_alone() {
    let folder = Folder::new();
    let broker = folder.broker();
    publish(&broker, "kept").await;
    broker.close().await;
    assert!(!folder.beside("-wal").exists(), "the write-ahead log is folded into the file");
}

#[tokio::test]
async fn diagnosis_finds_a_healthy_file_healthy() {
    let folder = Folder::new();
    let broker = folder.broker();
    let unknown = broker.transport().diagnose(&[queue()]).await.unwrap();
    assert!(unknown.iter().any(|finding| finding.severity == Severity::Warning && finding.text.contains("declared")));
    let mut consumer = consume(&broker, 1).await;
    publish(&broker, "held").await;
    let held = receive(&mut consumer).await;
    let findings = broker.transport().diagnose(&[queue()]).await.unwrap();
    let subjects: Vec<&str> = findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["file", "write-ahead log", "synchronous", "schema", "integrity", "claims"]);
    assert!(findings.iter().all(|finding| finding.severity == Severity::Fine), "{findings:?}");
    held.ack().await.unwrap();
}

#[tokio::test]
async fn a_sweep_of_many_pages_sees_each_message_once() {
    use celeriac_broker::transport::{Destination, Verdict};
    let folder = Folder::new();
    let broker = folder.broker();
    let ids: Vec<String> = (0..700).map(|n| n.to_string()).collect();
    futures_util::future::join_all(ids.iter().map(|id| publish(&broker, id))).await;
    // Moved into the same queue: a sweep that met its own copies would go on to its limit.
    let again = |found: &celeriac_broker::Message| {
        Verdict::Move(Box::new(Destination::now(queue())), Box::new(message(found.id().as_str())))
    };
    let swept = broker.transport().sweep(&queue().name, 100_000, &mut |found| again(found)).await.unwrap();
    assert_eq!((swept.seen, swept.moved), (700, 700));
    assert_eq!(broker.transport().purge(&queue().name).await.unwrap(), 700);
}
