//! `ZooKeeper`, etcd and Consul, by the clients of each.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use celeriac_mutex::{
    LeaseLost,
    conformance::{
        Fixture,
        steps::{Bare, eventually, soon, until_waiting, within},
    },
    store::{Hint, Queueing, Renewed},
};
use tokio::task::JoinSet;

use super::faulty;
use crate::support::faulty::{Gate, Gates, OPEN};

/// A question that failed left its node behind, and nobody to remove it: a deadlock for good.
pub(crate) async fn kazoo_429_zombie_contender(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("zombie"), faulty(fixture));
    store.set(Gates::all(Gate::ReplyLost));
    // Longer than this test: only a release frees it.
    store.locks().mutex(&name).ttl(Duration::from_secs(20)).try_lock().await.unwrap_err();
    store.set(OPEN);
    drop(within(Duration::from_secs(5), fixture.locks().mutex(&name).lock()).await.unwrap());
}

/// One whose patience had ended stayed in line, and was handed what it no longer wanted.
pub(crate) async fn zk_ruby_49_timed_out_waiter_stays_in_line(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("timed-out"), fixture.locks());
    let guard = locks.mutex(&name).ttl(Duration::from_secs(20)).lock().await.unwrap();
    let impatient = fixture.locks();
    let none = impatient.mutex(&name).ttl(Duration::from_secs(20)).lock_timeout(Duration::from_millis(30)).await;
    assert!(none.unwrap().is_none());
    until_waiting(&locks, guard.key(), 0).await;
    guard.release().await.unwrap();
    assert!(locks.mutex(&name).try_lock().await.unwrap().is_some());
}

/// The reply was lost, the question was asked again, and its first node stood before its second for ever.
pub(crate) async fn curator_315_orphan_on_reconnect(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("orphan"), faulty(fixture));
    let (locks, mutex) = (store.locks(), fixture.locks().mutex(&name));
    store.set(Gates::all(Gate::ReplyLost));
    let asking = locks.mutex(&name);
    let asked = tokio::spawn(async move { asking.lock().await.unwrap() });
    let (observer, key) = (fixture.locks(), mutex.lock_key());
    eventually(|| async { observer.inspect(key).await.unwrap().filter(|state| !state.holders.is_empty()) }).await;
    store.set(OPEN);
    soon(asked).await.unwrap().release().await.unwrap();
    assert!(mutex.try_lock().await.unwrap().is_some(), "nothing of the first question is left");
}

/// Every third answer was lost, and at last nobody moved.
pub(crate) async fn curator_335_deadlock_under_network_stress(fixture: &impl Fixture) {
    contend(fixture, "stress", 4).await;
}

/// A thread that was interrupted kept its permit.
pub(crate) async fn curator_462_interrupt_leaves_the_lease(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("interrupt"), fixture.locks());
    let semaphore = locks.semaphore(&name, 2).weight(2);
    let (mutex, (told, holding)) = (semaphore.clone(), tokio::sync::oneshot::channel());
    let work = tokio::spawn(async move {
        let _permit = mutex.ttl(Duration::from_secs(20)).acquire().await.unwrap();
        told.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    holding.await.unwrap();
    work.abort();
    drop(within(Duration::from_secs(3), semaphore.acquire()).await.unwrap());
}

/// There was no way to learn that a lock was no longer held.
pub(crate) async fn etcd_6127_nobody_says_that_it_is_lost(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("told"), fixture.locks());
    let guard = fixture.locks().mutex(&name).lock().await.unwrap();
    let work = guard.run(std::future::pending::<()>());
    let steer = locks.force_release(guard.key(), guard.id());
    let (lost, _) = within(Duration::from_secs(3), async { tokio::join!(work, steer) }).await;
    lost.unwrap_err();
    assert_eq!(guard.lost_reason(), Some(LeaseLost::Taken));
}

/// A waiter whose own time was over was told that it held the lock.
pub(crate) async fn etcd_9921_waiter_granted_after_its_lease_expired(fixture: &impl Fixture) {
    let (key, locks, mut late) = (fixture.key("late"), fixture.locks(), Bare::new(fixture));
    let guard = locks.mutex_at(key.clone()).unwrap().lock().await.unwrap();
    let ask = late.ask(&key, 1, Queueing::Wait);
    late.store.acquire(&ask).await.unwrap();
    guard.release().await.unwrap();
    soon(async { while !matches!(late.hints.recv().await, Some(Hint::Granted { .. })) {} }).await;
    if !locks.capabilities().expiring {
        // There what is handed over stays with its process: only an operator takes it.
        late.store.force_release(&key, &ask.lease).await.unwrap();
    }
    let next = within(Duration::from_secs(3), locks.mutex_at(key).unwrap().lock()).await.unwrap();
    assert_eq!(late.renew(&ask, None, false).await, Renewed::Lost);
    next.ensure_valid().unwrap();
}

/// The lease was kept alive for ever by a client whose work was over.
pub(crate) async fn etcd_17470_kept_alive_though_its_work_is_over(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("kept-alive"), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    guard.stop_renewing_at(std::time::Instant::now());
    drop(within(Duration::from_secs(3), fixture.locks().mutex(&name).lock()).await.unwrap());
    assert_eq!(guard.lost_reason(), Some(LeaseLost::Overlong));
}

/// A hand-off took five seconds.
pub(crate) async fn consul_1006_slow_hand_off(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("slow"), fixture.locks());
    let guard = locks.mutex(&name).ttl(Duration::from_secs(20)).lock().await.unwrap();
    // It looks for itself every few seconds only.
    let mutex = fixture.locks().mutex(&name).ttl(Duration::from_secs(20));
    let waiter = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, guard.key(), 1).await;
    guard.release().await.unwrap();
    drop(within(Duration::from_secs(1), waiter).await.unwrap());
}

/// A network that lost some messages made two holders.
pub(crate) async fn consul_2332_two_holders_on_a_flaky_network(fixture: &impl Fixture) {
    contend(fixture, "two", 6).await;
}

/// Several processes behind flaky networks take turns: never two at once, and all of them get it.
async fn contend(fixture: &impl Fixture, stem: &str, contenders: usize) {
    let (name, inside) = (fixture.name(stem), Arc::new(AtomicBool::new(false)));
    let mut running = JoinSet::new();
    for _ in 0..contenders {
        let (store, name, inside) = (faulty(fixture), name.clone(), inside.clone());
        store.set(Gates::all(Gate::Flaky));
        let locks = store.locks();
        running.spawn(async move {
            for _ in 0..5 {
                let guard = locks.mutex(&name).lock().await.unwrap();
                assert!(!inside.swap(true, Ordering::SeqCst), "two at once");
                tokio::task::yield_now().await;
                let valid = guard.ensure_valid().is_ok();
                assert!(inside.swap(false, Ordering::SeqCst) || !valid);
                // An answer that is lost here is asked for again in the background.
                drop(guard.release().await);
            }
        });
    }
    while let Some(done) = within(Duration::from_secs(20), running.join_next()).await {
        done.unwrap();
    }
}

/// After a loss the same client was told that it held the lock already, and could never take it again.
pub(crate) async fn consul_4902_already_held_after_loss(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("again"), fixture.locks());
    let mutex = locks.mutex(&name);
    let guard = mutex.lock().await.unwrap();
    assert!(locks.force_release(guard.key(), guard.id()).await.unwrap());
    within(Duration::from_secs(3), guard.lost().cancelled()).await;
    let again = within(Duration::from_secs(3), mutex.lock()).await.unwrap();
    assert!(again.fencing_token() > guard.fencing_token());
    drop(guard);
    again.ensure_valid().unwrap();
    assert!(fixture.locks().mutex(&name).try_lock().await.unwrap().is_none(), "the old guard's drop released nothing");
}
