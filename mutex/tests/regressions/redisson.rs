//! Redisson: fair locks, the watchdog, and unlock messages.

use std::time::Duration;

use celeriac_mutex::{
    conformance::{
        Fixture, TTL,
        steps::{Bare, soon, until_waiting, within},
    },
    store::Queueing,
};

use super::faulty;
use crate::support::faulty::{Gate, Gates, OPEN};

/// Five dead waiters kept a fair lock for 25 s, and more died than left: nobody got it again.
pub(crate) async fn redisson_1104_dead_waiters(fixture: &impl Fixture) {
    let (key, locks) = (fixture.key("dead-waiters"), fixture.locks());
    let guard = locks.mutex_at(key.clone()).unwrap().lock().await.unwrap();
    let mut dead = Vec::new();
    for _ in 0..5 {
        let mut waiter = Bare::new(fixture);
        let ask = waiter.ask(&key, 1, Queueing::Wait);
        waiter.store.acquire(&ask).await.unwrap();
        dead.push(waiter);
    }
    let mutex = fixture.locks().mutex_at(key.clone()).unwrap();
    let live = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, &key, 6).await;
    for waiter in dead {
        waiter.die().await;
    }
    guard.release().await.unwrap();
    // Sooner than five hand-offs that nobody confirms.
    drop(within(Duration::from_secs(2), live).await.unwrap());
}

/// A waiter that missed the message slept for ever, though the lock was free.
pub(crate) async fn redisson_1763_lost_unlock_message(fixture: &impl Fixture) {
    let (key, locks, deaf) = (fixture.key("lost-message"), fixture.locks(), faulty(fixture).deaf());
    let guard = locks.mutex_at(key.clone()).unwrap().lock().await.unwrap();
    let mutex = deaf.locks().mutex_at(key.clone()).unwrap();
    let waiter = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, &key, 1).await;
    guard.release().await.unwrap();
    drop(within(Duration::from_secs(3), waiter).await.unwrap());
}

/// The same for the permits of a semaphore, and several who wait for them.
pub(crate) async fn redisson_5762_semaphore_misses_a_release(fixture: &impl Fixture) {
    let (name, locks, deaf) = (fixture.name("missed"), fixture.locks(), faulty(fixture).deaf());
    let held = locks.semaphore(&name, 2).weight(2).acquire().await.unwrap();
    let mut waiters = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let semaphore = deaf.locks().semaphore(&name, 2);
        waiters.spawn(async move { semaphore.acquire().await.unwrap().release().await.unwrap() });
    }
    until_waiting(&locks, held.key(), 6).await;
    held.release().await.unwrap();
    while let Some(served) = soon(waiters.join_next()).await {
        served.unwrap();
    }
}

/// A reconnection ended the renewal, and the lease with it.
pub(crate) async fn redisson_3194_watchdog_stops_after_reconnect(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("watchdog"), faulty(fixture));
    let guard = store.locks().mutex(&name).ttl(Duration::from_secs(2)).lock().await.unwrap();
    for _ in 0..2 {
        store.set(Gates::all(Gate::Refused));
        store.until_renewed(guard.id(), 1).await;
        store.set(OPEN);
        store.until_renewed(guard.id(), 2).await;
        guard.ensure_valid().unwrap();
    }
    assert!(fixture.locks().mutex(&name).try_lock().await.unwrap().is_none());
}

/// The lease time was a field of the lock's object, so that one acquisition was renewed by the time of another.
pub(crate) async fn redisson_4818_lease_time_of_another_acquisition(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("lease-time"), fixture.locks());
    let long = locks.mutex(&name).key(1).ttl(Duration::from_secs(20));
    let (short, other) = (locks.mutex(&name).key(1), locks.mutex(&name).key(2));
    long.lock().await.unwrap().release().await.unwrap();
    let (first, second) = (short.lock().await.unwrap(), other.lock().await.unwrap());
    if locks.capabilities().expiring {
        assert!(first.remaining() <= TTL && second.remaining() <= TTL);
    }
    first.release().await.unwrap();
    let again = long.lock().await.unwrap();
    assert!(again.remaining() > TTL);
}

/// `getToken()` read the latest token of the key: the holder that had slept through its lease had a valid one.
pub(crate) async fn redisson_gettoken_reads_the_latest_token(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("token"), fixture.locks());
    let old = locks.mutex(&name).lock().await.unwrap();
    let token = old.fencing_token();
    assert!(locks.force_release(old.key(), old.id()).await.unwrap());
    let new = soon(fixture.locks().mutex(&name).lock()).await.unwrap();
    assert!(new.fencing_token() > token);
    assert_eq!(old.fencing_token(), token, "it is its own, not the latest");
}
