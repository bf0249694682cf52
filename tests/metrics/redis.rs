use celeriac::{Broker, Locks};

use super::stage::{Running, assert_documented, builder, hold_for};
use crate::support::{redis_url, unique};

const REPORTS: &str = r#"celeriac_queue_reporter{queue="seen"}"#;

/// Two workers of one broker and one store: who reports, and who does not.
async fn two(name: &str) -> (Broker, Running, Running) {
    // The broker's address is a part of what they elect one for.
    let folder = tempfile::tempdir().unwrap().keep();
    let broker = Broker::new(&format!("sqlite://{}/{}.db", folder.display(), unique(name))).unwrap();
    let start = || Running::start(builder(broker.clone(), "seen").locks(Locks::from_url(&redis_url()).unwrap()));
    let first = start();
    first.until(|scrape| scrape.value(REPORTS) == Some(1.0)).await;
    let second = start();
    second.until(|scrape| scrape.value(REPORTS) == Some(0.0)).await;
    (broker, first, second)
}

#[tokio::test]
async fn of_two_workers_that_share_redis_one_reports_the_queue_and_the_other_follows_it() {
    let (_broker, first, second) = two("follows").await;
    let depth = r#"celeriac_queue_depth{queue="seen",state="ready"}"#;
    assert_eq!(first.scrape().await.value(depth), Some(0.0));
    assert_eq!(second.scrape().await.value(depth), None, "what is reported by another is absent, not 0");
    first.end().await;
    second.until(|scrape| scrape.value(REPORTS) == Some(1.0) && scrape.value(depth) == Some(0.0)).await;
    second.end().await;
}

#[tokio::test]
async fn what_all_workers_hold_and_wait_for_is_seen_in_redis() {
    let (broker, first, second) = two("holds").await;
    for _ in 0..3 {
        broker.publish(hold_for(30_000)).await.unwrap();
    }
    let scrape =
        first.until(|scrape| scrape.value(r#"celeriac_lock_waiters{kind="mutex",lock="door"}"#) >= Some(1.0)).await;
    scrape.assert(r#"celeriac_mutex_held{lock="door"}"#, 1.0);
    scrape.assert(r#"celeriac_semaphore_held{lock="seats"}"#, 1.0);
    scrape.assert(r#"celeriac_semaphore_limit{lock="seats"}"#, 3.0);
    assert_documented(&scrape, &[]);
    first.end().await;
    second.end().await;
}
