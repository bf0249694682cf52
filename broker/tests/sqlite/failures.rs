use std::{
    fs::File,
    time::{Duration, Instant},
};

use celeriac_broker::{Broker, Error, transport::Destination};

use crate::support::{Folder, consume, id, message, publish, queue, quiet, receive, run};

/// The text of an error, which must be that the store failed.
fn store_failure(result: Result<(), Error>) -> String {
    match result {
        Err(error @ Error::Store { .. }) => error.to_string(),
        other => panic!("the store was to fail, and it is {other:?}"),
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let folder = Folder::new();
    let broker = Broker::new(&folder.url("?max_size=1MiB")).unwrap();
    let mut large = message("large");
    large.body = vec![7; 20_000].into();
    let mut taken = 0;
    let refusal = loop {
        match broker.publish_message(Destination::now(queue()), large.clone()).await {
            Ok(()) => taken += 1,
            refusal => break store_failure(refusal),
        }
        assert!(taken < 1000, "1 MiB holds no thousand messages of 20 kB");
    };
    assert!(refusal.contains("full"), "{refusal}");
    assert!(taken > 10);

    // What runs makes room, and nothing that was taken is missing.
    let mut consumer = consume(&broker, 4).await;
    for _ in 0..taken {
        receive(&mut consumer).await.ack().await.unwrap();
    }
    quiet(&mut consumer, Duration::from_millis(200)).await;
    publish(&broker, "after").await;
    assert_eq!(run(&mut consumer).await, "after");
}

#[tokio::test]
async fn a_message_that_does_not_fit_does_not_spoil_its_neighbours() {
    let folder = Folder::new();
    let broker = Broker::new(&folder.url("?max_size=1MiB")).unwrap();
    let mut huge = message("huge");
    huge.body = vec![7; 2_000_000].into();
    let publishes = (0..40).map(|n| {
        let message = if n % 10 == 5 { huge.clone() } else { message(&n.to_string()) };
        broker.publish_message(Destination::now(queue()), message)
    });
    let results = futures_util::future::join_all(publishes).await;
    for (n, result) in results.into_iter().enumerate() {
        assert_eq!(result.is_err(), n % 10 == 5, "{n}: {result:?}");
    }
    let info = broker.transport().queue(&queue().name).await.unwrap().unwrap();
    assert_eq!(info.ready, Some(36));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let folder = Folder::new();
    std::fs::write(folder.file(), "dear diary, ".repeat(500)).unwrap();
    let text = store_failure(folder.broker().transport().ping().await);
    assert!(text.contains("not a database") && text.contains("name another one"), "{text}");
    assert!(std::fs::read_to_string(folder.file()).unwrap().starts_with("dear diary"));
}

#[tokio::test]
async fn a_missing_folder_is_named_with_the_fix() {
    let folder = Folder::new();
    let url = format!("sqlite://{}/missing/queues.db", folder.file().parent().unwrap().display());
    let text = store_failure(Broker::new(&url).unwrap().transport().ping().await);
    assert!(text.contains("missing") && text.contains("create it"), "{text}");
}

#[tokio::test]
async fn a_newer_file_is_refused_with_the_fix() {
    let folder = Folder::new();
    let broker = folder.broker();
    publish(&broker, "kept").await;
    broker.close().await;
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    file.execute("UPDATE celeriac_version SET version = 99", []).unwrap();
    let text = store_failure(folder.broker().transport().ping().await);
    assert!(text.contains("version 99") && text.contains("update this program"), "{text}");
    file.execute("UPDATE celeriac_version SET version = 1", []).unwrap();
    assert_eq!(run(&mut consume(&folder.broker(), 1).await).await, "kept");
}

#[tokio::test]
async fn a_broker_recovers_when_the_fault_is_mended() {
    let folder = Folder::new();
    let broker = folder.broker();
    std::fs::create_dir(folder.file()).unwrap();
    store_failure(broker.transport().ping().await);
    std::fs::remove_dir(folder.file()).unwrap();
    publish(&broker, "mended").await;
    assert_eq!(run(&mut consume(&broker, 1).await).await, "mended");
}

#[tokio::test]
async fn a_stuck_process_is_named_in_bounded_time_and_nothing_is_published_later() {
    let folder = Folder::new();
    let patience = Duration::from_secs(3);
    let broker = Broker::builder().url(&folder.url("")).publish_timeout(patience).build().unwrap();
    publish(&broker, "before").await;
    let lock = File::open(folder.beside("-lock")).unwrap();
    lock.lock().unwrap();
    let asked = Instant::now();
    let refusal = broker.publish_message(Destination::now(queue()), message("never")).await;
    assert!(asked.elapsed() < patience + Duration::from_secs(10));
    let Err(Error::Unreachable { address, source }) = refusal else { panic!("{refusal:?}") };
    assert!(address.ends_with("queues.db"));
    let source = source.to_string();
    assert!(source.contains("queues.db-lock") && source.contains(&std::process::id().to_string()), "{source}");

    lock.unlock().unwrap();
    let mut consumer = consume(&broker, 8).await;
    publish(&broker, "after").await;
    assert_eq!(run(&mut consumer).await, "before");
    assert_eq!(run(&mut consumer).await, "after");
    quiet(&mut consumer, Duration::from_millis(200)).await;
}

#[tokio::test]
async fn another_program_may_write_the_file_briefly() {
    let folder = Folder::new();
    let broker = folder.broker();
    publish(&broker, "before").await;
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE foreign_table (x)").unwrap();
    let publishing = tokio::spawn({
        let broker = broker.clone();
        async move { publish(&broker, "meanwhile").await }
    });
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    publishing.await.unwrap();
    let mut consumer = consume(&broker, 2).await;
    assert_eq!([run(&mut consumer).await, run(&mut consumer).await], ["before", "meanwhile"]);
}

#[tokio::test]
async fn a_removed_file_is_noticed_by_publishers_and_consumers() {
    let folder = Folder::new();
    let broker = folder.broker();
    let mut consumer = consume(&broker, 1).await;
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(folder.beside(suffix)).unwrap();
    }
    publish(&broker, "in the new file").await;
    let held = receive(&mut consumer).await;
    assert_eq!(id(&held), "in the new file");
    let found = rusqlite::Connection::open(folder.file()).unwrap();
    let count: i64 = found.query_row("SELECT count(*) FROM celeriac_message", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    held.ack().await.unwrap();
}
