//! Semaphores that are counters, or lists of tokens.

use std::time::Duration;

use celeriac_mutex::{
    Kind, LockKey,
    conformance::{
        Fixture, TTL,
        steps::{Bare, soon, until_waiting, within},
    },
    store::Queueing,
};
use tokio::task::JoinSet;

/// A crash took a permit with it for good.
pub(crate) async fn redisson_2045_permits_lost_on_crash(fixture: &impl Fixture) {
    let (key, locks) = (LockKey::new(Kind::Semaphore, &fixture.name("crash")), fixture.locks());
    for _ in 0..2 {
        let mut holder = Bare::new(fixture);
        let ask = holder.ask(&key, 2, Queueing::No);
        holder.granted(&ask).await;
        holder.die().await;
    }
    let all = locks.semaphore_at(key, 2).unwrap().weight(2);
    drop(within(Duration::from_secs(3), all.acquire()).await.unwrap());
}

/// A permit that was released twice counted twice: a job limited to one ran eleven times at once.
pub(crate) async fn solid_queue_761_double_release(fixture: &impl Fixture) {
    let key = LockKey::new(Kind::Semaphore, &fixture.name("double"));
    let (mut one, locks) = (Bare::new(fixture), fixture.locks());
    let semaphore = locks.semaphore_at(key.clone(), 1).unwrap();
    for _ in 0..10 {
        let ask = one.ask(&key, 1, Queueing::No);
        one.granted(&ask).await;
        assert!(one.release(&ask).await.found);
        let held = semaphore.try_acquire().await.unwrap().expect("it is free");
        assert!(!one.release(&ask).await.found);
        assert!(semaphore.try_acquire().await.unwrap().is_none(), "two at once");
        assert_eq!(locks.inspect(&key).await.unwrap().unwrap().used, 1);
        held.release().await.unwrap();
    }
}

/// Jobs stayed blocked although a permit was free.
pub(crate) async fn solid_queue_456_blocked_though_free(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("blocked"), fixture.locks());
    let held = locks.semaphore(&name, 1).ttl(Duration::from_secs(20)).acquire().await.unwrap();
    let mut waiters = JoinSet::new();
    for _ in 0..3 {
        // They look for themselves every few seconds only.
        let semaphore = fixture.locks().semaphore(&name, 1).ttl(Duration::from_secs(20));
        waiters.spawn(async move { semaphore.acquire().await.unwrap() });
    }
    until_waiting(&locks, held.key(), 3).await;
    locks.semaphore(&name, 1).resize(Some(4)).await.unwrap();
    let mut permits = Vec::new();
    while let Some(permit) = within(Duration::from_secs(2), waiters.join_next()).await {
        permits.push(permit.unwrap());
    }
    assert_eq!(permits.len(), 3);
}

/// One ttl for all: the slot of a crashed holder lived for as long as any other was in use.
pub(crate) async fn dramatiq_shared_counter_ttl(fixture: &impl Fixture) {
    let key = LockKey::new(Kind::Semaphore, &fixture.name("shared-ttl"));
    let (locks, mut holder) = (fixture.locks(), Bare::new(fixture));
    let ask = holder.ask(&key, 2, Queueing::No);
    holder.granted(&ask).await;
    holder.die().await;
    let semaphore = locks.semaphore_at(key, 2).unwrap();
    let in_use = async {
        loop {
            let one = semaphore.try_acquire().await.unwrap();
            if one.is_some() && semaphore.try_acquire().await.unwrap().is_some() {
                return;
            }
            // It is given back, and used again at once.
            drop(one);
            tokio::task::yield_now().await;
        }
    };
    // Else the crashed holder's slot is kept by those who use the other.
    within(TTL * 4, in_use).await;
}

/// A token that was popped for a client that was gone, was gone too.
pub(crate) async fn redis_949_blpop_token_lost(fixture: &impl Fixture) {
    let (key, locks) = (fixture.key("token-lost"), fixture.locks());
    let guard = locks.mutex_at(key.clone()).unwrap().lock().await.unwrap();
    // Connected, but never to confirm what it is handed.
    let mut half_open = Bare::new(fixture);
    let ask = half_open.ask(&key, 1, Queueing::Wait);
    half_open.store.acquire(&ask).await.unwrap();
    let mutex = fixture.locks().mutex_at(key.clone()).unwrap();
    let next = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, &key, 2).await;
    guard.release().await.unwrap();
    if !locks.capabilities().expiring {
        // A process that lives keeps what it was handed; it has to die.
        half_open.die().await;
    }
    drop(within(Duration::from_secs(3), next).await.unwrap());
}

/// One connection for each who waits: those who hold had none left to release by.
pub(crate) async fn deadpool_130_waiters_exhaust_the_pool(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("exhaust"), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    let mut waiters = JoinSet::new();
    for _ in 0..200 {
        let mutex = locks.mutex(&name);
        waiters.spawn(async move { mutex.lock().await.unwrap().release().await.unwrap() });
    }
    until_waiting(&locks, guard.key(), 200).await;
    drop(within(Duration::from_secs(2), locks.mutex(&name).key("another").lock()).await.unwrap());
    guard.release().await.unwrap();
    while let Some(served) = soon(waiters.join_next()).await {
        served.unwrap();
    }
}
