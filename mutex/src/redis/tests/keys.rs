//! What is left on the server.

use std::time::Duration;

use deadpool_redis::redis::cmd;

use super::support::{Process, Raw, granted, options, private, released};
use crate::{
    Kind, LockKey,
    redis::RedisStore,
    store::{Answer, LeaseStore, PLACE_DELAY, PLACE_GRACE, Queueing, RETENTION, Spend, Spent},
};

/// Every key of the server, and how long it is kept; `None` for ever.
async fn kept(raw: &Raw) -> Vec<(String, Option<Duration>)> {
    let keys: Vec<String> = raw.say("KEYS *").await;
    let mut kept = Vec::new();
    for key in keys {
        let left: i64 = raw.run(cmd("PTTL").arg(&key)).await;
        kept.push((key, u64::try_from(left).ok().map(Duration::from_millis)));
    }
    kept
}

#[tokio::test]
async fn every_key_ends_by_itself_but_what_an_operator_has_set() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    for (number, queueing) in
        [Queueing::No, Queueing::Wait, Queueing::Park { jitter: 0.7 }, Queueing::Wait].into_iter().enumerate()
    {
        store.acquire(&process.ask("m", number as u64, queueing)).await.unwrap();
    }
    let rate = "2/m".parse().unwrap();
    let spend = Spend { key: LockKey::new(Kind::Rate, "r"), rate, cost: 1, horizon: Duration::ZERO };
    assert_eq!(store.spend(&spend).await.unwrap(), Spent::Now);
    assert!(matches!(store.spend(&spend).await.unwrap(), Spent::Refused(_)));
    let semaphore = LockKey::new(Kind::Semaphore, "s");
    store.resize(&semaphore, Some(7)).await.unwrap();

    let longest = RETENTION + PLACE_GRACE + *PLACE_DELAY.end();
    let all = kept(&raw).await;
    assert_eq!(all.len(), 6, "{all:?}");
    for (key, left) in &all {
        match left {
            None => assert!(key.contains("semaphore:s"), "{key} stays for ever"),
            Some(left) if key.contains("{rate:") => assert!(*left <= Duration::from_secs(30), "{key}: {left:?}"),
            Some(left) => assert!(*left + Duration::from_secs(60) > RETENTION && *left < longest, "{key}: {left:?}"),
        }
    }
    store.resize(&semaphore, None).await.unwrap();
    assert!(kept(&raw).await.iter().all(|(_, left)| left.is_some()));
}

#[tokio::test]
async fn a_lock_that_everybody_has_left_is_one_key() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    let asks: Vec<_> = (0..20).map(|number| process.ask("m", number, Queueing::Wait)).collect();
    let fence = granted(&store.acquire(&asks[0]).await.unwrap()).fence;
    for ask in &asks[1..] {
        assert!(matches!(store.acquire(ask).await.unwrap(), Answer::Queued { .. }));
    }
    for ask in &asks {
        assert!(released(&store, ask).await, "{ask:?}");
    }
    assert_eq!(kept(&raw).await.len(), 1);
    assert_eq!(store.list(10).await.unwrap(), []);
    let state = store.inspect(&asks[0].key).await.unwrap().expect("its token is remembered");
    assert!(state.fence > fence && state.holders.is_empty() && state.waiters.is_empty(), "{state:?}");
}

#[tokio::test]
async fn a_long_line_is_listed_and_shown_whole_and_in_order() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let process = Process::open(&store, "p");
    let asks: Vec<_> = (0..1200)
        .map(|number| {
            let queueing = if number % 3 == 0 { Queueing::Park { jitter: 1.0 } } else { Queueing::Wait };
            process.ask("long", number, queueing)
        })
        .collect();
    for ask in &asks {
        store.acquire(ask).await.unwrap();
    }
    let state = store.inspect(&asks[0].key).await.unwrap().unwrap();
    let expected: Vec<_> = asks[1..].iter().map(|ask| &ask.lease).collect();
    assert_eq!(state.waiters.iter().map(|waiter| &waiter.lease).collect::<Vec<_>>(), expected);
    let [summary] = &store.list(10).await.unwrap()[..] else { panic!() };
    assert_eq!((summary.used, summary.waiting, &summary.key), (1, 1199, &asks[0].key));
}
