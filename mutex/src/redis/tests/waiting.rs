//! Hearing of grants, by each way that there is.

use std::time::Duration;

use deadpool_redis::{Config, Runtime};
use xtask::services::Redis;

use super::support::{Process, answered, granted, options, private, released, renewal};
use crate::{
    Locks,
    conformance::steps::{eventually, until_waiting},
    redis::{RedisOptions, RedisStore},
    store::{Answer, Hint, LeaseStore, Queueing, Release, Renewed},
};

#[tokio::test]
async fn a_store_on_a_pool_hears_of_grants() {
    let server = private(&[]);
    let pool = Config::from_url(server.url()).create_pool(Some(Runtime::Tokio1)).unwrap();
    let store = RedisStore::from_pool(pool.clone(), options()).unwrap();
    let mut processes = ["p", "q"].map(|id| Process::open(&store, id));
    let asks: Vec<_> =
        (0..50u8).map(|number| processes[usize::from(number % 2)].ask("m", number.into(), Queueing::Wait)).collect();
    for ask in &asks {
        store.acquire(ask).await.unwrap();
    }
    for (number, hand) in asks.windows(2).enumerate() {
        assert!(released(&store, &hand[0]).await);
        let lease = hand[1].lease.clone();
        loop {
            match processes[(number + 1) % 2].hint().await {
                Some(Hint::Look { .. }) => {}
                hint => break assert_eq!(hint, Some(Hint::Granted { key: hand[1].key.clone(), lease })),
            }
        }
        assert!(matches!(store.renew(&[renewal(&hand[1], None, false)]).await.unwrap()[..], [Renewed::Granted(_)]));
    }
    assert_eq!(pool.status().size, 0, "what it took does not count against the pool");
}

#[tokio::test]
async fn a_mutex_is_handed_over_at_once_between_processes_on_pools() {
    let server = private(&[]);
    let options = options();
    let locks = || {
        let pool = Config::from_url(server.url()).create_pool(Some(Runtime::Tokio1)).unwrap();
        let store = RedisStore::from_pool(pool, options.clone()).unwrap();
        Locks::builder().store(std::sync::Arc::new(store)).build().unwrap()
    };
    let (one, other) = (locks(), locks());
    let guard = one.mutex("m").lock().await.unwrap();
    let second = other.mutex("m");
    let (waiting, released) = tokio::join!(tokio::time::timeout(Duration::from_secs(3), second.lock()), async {
        until_waiting(&one, guard.key(), 1).await;
        guard.release().await
    });
    released.unwrap();
    waiting.expect("well before its own tick").unwrap().release().await.unwrap();
}

#[tokio::test]
async fn who_hears_nothing_any_more_is_passed_over_at_once() {
    let server = private(&[]);
    passes_over_the_dead(&server, &server.url()).await;
}

/// One of two who wait dies, at `url`, which leads to `server`.
pub(super) async fn passes_over_the_dead(server: &Redis, url: &str) {
    let options = options();
    let channels = format!("PUBSUB CHANNELS {}:*", options.namespace);
    let store = RedisStore::from_url(url, options.clone()).unwrap();
    let dead_store = RedisStore::from_url(url, options).unwrap();
    let (mut process, dead) = (Process::open(&store, "p"), Process::open(&dead_store, "dead"));
    let holder = Process::open(&store, "holder").ask("m", 1, Queueing::Wait);
    granted(&store.acquire(&holder).await.unwrap());
    let gone = dead.ask("m", 1, Queueing::Wait);
    assert!(matches!(dead_store.acquire(&gone).await.unwrap(), Answer::Queued { .. }));
    let next = process.ask("m", 2, Queueing::Wait);
    assert!(matches!(store.acquire(&next).await.unwrap(), Answer::Queued { position: 2, .. }));

    let raw = super::support::Raw::to(&server.url()).await;
    dead_store.close(&dead.id).await;
    // Until the server has noticed.
    loop {
        let heard: Vec<String> = raw.say(&channels).await;
        if heard.len() < 2 {
            break;
        }
    }
    assert!(released(&store, &holder).await);
    assert_eq!(process.hint().await, Some(Hint::Granted { key: next.key.clone(), lease: next.lease.clone() }));
    let state = store.inspect(&next.key).await.unwrap().unwrap();
    assert_eq!((state.waiters.len(), &state.holders[0].lease), (0, &next.lease));
}

#[tokio::test]
async fn a_lease_that_too_few_replicas_have_is_given_back() {
    let server = private(&[]);
    let strict = options().wait_for_replicas(1, Duration::from_millis(50));
    let store = RedisStore::from_url(&server.url(), strict).unwrap();
    let process = Process::open(&store, "p");
    let ask = process.ask("m", 1, Queueing::No);
    let error = store.acquire(&ask).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("0 of 1 replicas"), "{error}");
    assert!(store.inspect(&ask.key).await.unwrap().unwrap().holders.is_empty());

    let replica = Redis::start_replica(&server).unwrap();
    granted(&answered(&store, &ask).await);
    assert!(released(&store, &ask).await);
    drop(replica);
}

#[tokio::test]
async fn what_replicas_may_not_know_is_not_handed_over_by_an_answer() {
    let server = private(&[]);
    let options = options();
    let lax = RedisStore::from_url(&server.url(), options.clone()).unwrap();
    let strict = RedisStore::from_url(&server.url(), options.wait_for_replicas(1, Duration::from_millis(50))).unwrap();
    let mut process = Process::open(&strict, "p");
    let [holder, waiter] = [1, 2].map(|number| process.ask("m", number, Queueing::Wait));
    granted(&lax.acquire(&holder).await.unwrap());
    assert!(matches!(strict.acquire(&waiter).await.unwrap(), Answer::Queued { position: 1, .. }));
    let release = strict.release(&holder.key, &holder.lease, &process.id).await.unwrap();
    assert_eq!(release, Release { found: true, ..Release::default() });
    let lease = waiter.lease.clone();
    assert_eq!(process.hint().await, Some(Hint::Granted { key: waiter.key.clone(), lease }));
}

#[tokio::test]
async fn a_lease_that_is_handed_over_waits_for_replicas_too() {
    let server = private(&[]);
    let options = options();
    let locks = |options: RedisOptions| {
        let store = RedisStore::from_url(&server.url(), options).unwrap();
        let patience = Duration::from_millis(300);
        Locks::builder().store(std::sync::Arc::new(store)).patience(patience).build().unwrap()
    };
    let (lax, strict) = (locks(options.clone()), locks(options.wait_for_replicas(1, Duration::from_millis(50))));
    let second = strict.mutex("m");
    let handed_over = async || {
        let guard = lax.mutex("m").lock().await.unwrap();
        let (got, released) = tokio::join!(second.lock(), async {
            until_waiting(&lax, guard.key(), 1).await;
            guard.release().await
        });
        released.unwrap();
        got
    };
    let error = handed_over().await.map(drop).unwrap_err();
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");

    let _replica = Redis::start_replica(&server).unwrap();
    // Until it has caught up.
    eventually(async || second.lock().await.ok()).await.release().await.unwrap();
    eventually(async || handed_over().await.ok()).await.release().await.unwrap();
}
