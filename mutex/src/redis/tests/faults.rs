//! What is lost on the way: scripts, connections, replies.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_redis::redis::cmd;
use xtask::chaos::Proxy;

use super::support::{Process, Raw, answered, granted, options, private, released, renewal};
use crate::{
    Error, Locks, Released,
    conformance::steps::{until_waiting, within},
    redis::RedisStore,
    store::{Answer, Hint, LeaseStore, Queueing, Renewed},
};

/// Keeps the server from answering anybody for so long.
async fn stall(raw: &Raw, millis: u64) {
    let busy = "local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 end \
                local ends = now() + ARGV[1] while now() < ends do end";
    let () = raw.run(cmd("EVAL").arg(busy).arg(0).arg(millis)).await;
}

#[tokio::test]
async fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    let mut batch = Vec::new();
    for number in 0..250 {
        if number % 50 == 0 {
            let _: String = raw.say("SCRIPT FLUSH").await;
        }
        let ask = process.ask(&format!("m{number}"), number, Queueing::No);
        let fence = granted(&store.acquire(&ask).await.unwrap()).fence;
        batch.push(renewal(&ask, Some(fence), false));
    }
    let _: String = raw.say("SCRIPT FLUSH").await;
    let renewed = store.renew(&batch).await.unwrap();
    assert!(renewed.iter().all(|renewed| matches!(renewed, Renewed::Held { .. })), "{renewed:?}");
    let _: String = raw.say("SCRIPT FLUSH").await;
    assert!(released(&store, &batch[0].ask).await);
}

#[tokio::test]
async fn lost_connections_are_made_again_and_waiters_served() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, mut process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    let holding = Process::open(&store, "holder");
    for number in 0..10 {
        let (holder, waiter) = (holding.ask("m", number, Queueing::Wait), process.ask("m", number, Queueing::Wait));
        granted(&store.acquire(&holder).await.unwrap());
        assert!(matches!(store.acquire(&waiter).await.unwrap(), Answer::Queued { position: 1, .. }));
        let _: u64 = raw.say("CLIENT KILL TYPE pubsub").await;
        let _: u64 = raw.say("CLIENT KILL TYPE normal SKIPME yes").await;
        assert_eq!(process.hint().await, Some(Hint::Resync));
        assert!(released(&store, &holder).await);
        let lease = waiter.lease.clone();
        assert_eq!(process.hint().await, Some(Hint::Granted { key: waiter.key.clone(), lease }));
        assert!(matches!(store.renew(&[renewal(&waiter, None, false)]).await.unwrap()[..], [Renewed::Granted(_)]));
        assert!(released(&store, &waiter).await);
    }
}

#[tokio::test]
async fn a_question_whose_reply_was_lost_is_granted_once() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options().response_timeout(Duration::from_millis(200))).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    let warm = process.ask("warm", 0, Queueing::No);
    granted(&store.acquire(&warm).await.unwrap());

    let ask = process.ask("m", 1, Queueing::No);
    let stalled = tokio::spawn({
        let raw = raw.clone();
        async move { stall(&raw, 700).await }
    });
    // Until the server is at it.
    tokio::task::yield_now().await;
    let began = Instant::now();
    let error = store.acquire(&ask).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
    stalled.await.unwrap();

    let first = granted(&answered(&store, &ask).await);
    assert_eq!(granted(&store.acquire(&ask).await.unwrap()), first);
    let state = store.inspect(&ask.key).await.unwrap().unwrap();
    assert_eq!((state.used, state.holders.len()), (1, 1));
    assert!(released(&store, &ask).await);
    assert!(!released(&store, &ask).await, "a second release frees nothing");
}

/// The connection is cut after the release has happened. It is sent again over another one, finds nothing, and nobody has heard to whom the
/// first one has handed the lease.
#[tokio::test]
async fn a_release_whose_reply_was_lost_hands_over_at_once() {
    let server = private(&[]);
    let proxy = Proxy::to(server.port()).unwrap();
    let url = format!("redis://127.0.0.1:{}/0", proxy.port());
    let store = RedisStore::from_url(&url, options()).unwrap();
    // Nobody looks by itself for seconds.
    let locks = Locks::builder().store(Arc::new(store)).ttl(Duration::from_secs(20)).build().unwrap();
    for _ in 0..10 {
        let (guard, next) = (locks.mutex("m").lock().await.unwrap(), locks.mutex("m"));
        let waiter = tokio::spawn(async move { next.lock().await.unwrap() });
        until_waiting(&locks, guard.key(), 1).await;
        proxy.lose_replies(1);
        assert_eq!(guard.release().await.unwrap(), Released::AlreadyLost);
        let next = within(Duration::from_secs(3), waiter).await.unwrap();
        assert_eq!(next.release().await.unwrap(), Released::Ok);
    }
}

#[tokio::test]
async fn a_connection_that_its_users_give_up_on_is_replaced() {
    let server = private(&[]);
    let bound = Duration::from_millis(300);
    let store = RedisStore::from_url(&server.url(), options().response_timeout(bound)).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    granted(&store.acquire(&process.ask("m", 1, Queueing::No)).await.unwrap());
    let before: u64 = raw.say("CLIENT ID").await;
    // In a hurry, as renewals of short leases are.
    stall_while(&raw, 900, async {
        let asked = process.ask("other", 2, Queueing::No);
        let _ = tokio::time::timeout(Duration::from_millis(50), store.acquire(&asked)).await;
    })
    .await;
    granted(&answered(&store, &process.ask("third", 3, Queueing::No)).await);
    let clients: String = raw.say("CLIENT LIST TYPE normal").await;
    let newest = clients.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next()?.parse::<u64>().ok());
    assert!(newest.max() > Some(before), "no connection was made since: {clients}");
}

async fn stall_while(raw: &Raw, millis: u64, act: impl Future<Output = ()>) {
    tokio::join!(stall(raw, millis), act);
}
