//! Clients: what they do on release, on drop, on cancellation and on failure.

use std::time::{Duration, Instant};

use celeriac_mutex::{
    Error, LeaseLost,
    conformance::{
        Fixture,
        steps::{Bare, soon, within},
    },
    store::{Queueing, Renewed},
};
use tokio::time::timeout;

use super::faulty;
use crate::support::faulty::{Gate, Gates, OPEN};

/// A release that was cancelled had already forgotten the token: the key stayed, and nobody owned it.
pub(crate) async fn redis_py_3847_release_cleared_the_token_first(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("cleared"), faulty(fixture));
    // Long enough that it does not end by itself.
    let guard = store.locks().mutex(&name).ttl(Duration::from_secs(20)).lock().await.unwrap();
    store.set(Gates::all(Gate::Never));
    assert!(timeout(Duration::from_millis(20), guard.release()).await.is_err());
    store.set(OPEN);
    drop(within(Duration::from_secs(5), fixture.locks().mutex(&name).lock()).await.unwrap());
}

/// A command that was cancelled left its answer behind, for the next one to take as its own.
pub(crate) async fn redis_py_2624_cancelled_command_shifts_the_answers(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("shifted"), fixture.locks());
    let taken = locks.mutex(&name).key("taken").lock().await.unwrap();
    for number in 0..50 {
        let (free, busy) = (locks.mutex(&name).key(number), locks.mutex(&name).key("taken"));
        // Polled once, and dropped.
        drop(timeout(Duration::ZERO, busy.try_lock()).await);
        let guard = free.try_lock().await.unwrap().expect("nobody has this one");
        drop(timeout(Duration::ZERO, free.try_lock()).await);
        assert!(busy.try_lock().await.unwrap().is_none(), "somebody has that one");
        assert_ne!(guard.fencing_token(), taken.fencing_token());
    }
    taken.ensure_valid().unwrap();
}

/// Extending a lock that had ended took it from whoever had it by then.
pub(crate) async fn redlock_rb_36_extend_revives_an_expired_lock(fixture: &impl Fixture) {
    let (key, mut slow) = (fixture.key("revived"), Bare::new(fixture));
    let ask = slow.ask(&key, 1, Queueing::No);
    let fence = slow.granted(&ask).await.fence;
    if !slow.store.capabilities().expiring {
        slow.store.force_release(&key, &ask.lease).await.unwrap();
    }
    let other = within(Duration::from_secs(3), fixture.locks().mutex_at(key).unwrap().lock()).await.unwrap();
    assert_eq!(slow.renew(&ask, Some(fence), true).await, Renewed::Lost);
    other.ensure_valid().unwrap();
    assert_eq!(fixture.locks().inspect(other.key()).await.unwrap().unwrap().holders.len(), 1);
}

/// Extending a key that was not there made it, whoever had held it in between.
pub(crate) async fn redsync_147_extend_creates_a_key(fixture: &impl Fixture) {
    let (key, mut slow) = (fixture.key("created"), Bare::new(fixture));
    let ask = slow.ask(&key, 1, Queueing::No);
    let fence = slow.granted(&ask).await.fence;
    slow.store.force_release(&key, &ask.lease).await.unwrap();
    let between = fixture.locks().mutex_at(key.clone()).unwrap().lock().await.unwrap();
    between.release().await.unwrap();
    assert_eq!(slow.renew(&ask, Some(fence), true).await, Renewed::Lost);
    assert!(fixture.locks().mutex_at(key).unwrap().try_lock().await.unwrap().is_some(), "it is free");
}

/// The timer that extended went on although the lock was another's.
pub(crate) async fn redlock_net_48_extend_goes_on_after_a_conflict(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("conflict"), faulty(fixture));
    let locks = store.locks();
    let (guard, another) =
        (locks.mutex(&name).key(1).lock().await.unwrap(), locks.mutex(&name).key(2).lock().await.unwrap());
    assert!(fixture.locks().force_release(guard.key(), guard.id()).await.unwrap());
    let other = fixture.locks().mutex(&name).key(1).lock().await.unwrap();
    within(Duration::from_secs(3), guard.lost().cancelled()).await;
    assert_eq!(guard.lost_reason(), Some(LeaseLost::Taken));
    let renewals = store.renewals(guard.id());
    // More than a ttl, by the renewals of what the process still holds.
    store.until_renewed(another.id(), 4).await;
    other.ensure_valid().unwrap();
    assert_eq!(store.renewals(guard.id()), renewals);
}

/// Dropping a guard blocked the thread until the server had answered, which by then ran on that thread.
pub(crate) async fn rslock_drop_blocks_runtime(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("blocks"), faulty(fixture));
    let guard = store.locks().mutex(&name).ttl(Duration::from_secs(20)).lock().await.unwrap();
    store.set(Gates::all(Gate::Never));
    let began = Instant::now();
    drop(guard);
    assert!(began.elapsed() < Duration::from_millis(100), "a drop took {:?}", began.elapsed());
    store.set(OPEN);
    drop(within(Duration::from_secs(5), fixture.locks().mutex(&name).lock()).await.unwrap());
}

/// Whatever went wrong was `false`: a server that was down looked like a lock that was taken.
pub(crate) async fn rslock_down_looks_like_taken(fixture: &impl Fixture) {
    let (name, store) = (fixture.name("down"), faulty(fixture));
    let locks = store.locks();
    store.set(Gates::all(Gate::Refused));
    let down = locks.mutex(&name).try_lock().await.map(drop);
    assert!(matches!(down, Err(Error::Unavailable { .. })), "{down:?}");
    store.set(OPEN);
    let held = locks.mutex(&name).try_lock().await.unwrap().expect("nobody has it");
    assert!(locks.mutex(&name).try_lock().await.unwrap().is_none());
    drop(held);
}

/// The validity of a short lease was below zero, and so very long.
pub(crate) async fn rslock_short_ttl_underflows(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("short"), fixture.locks());
    let ttl = Duration::from_millis(100);
    let guard = locks.mutex(&name).ttl(ttl).lock().await.unwrap();
    assert!(!locks.capabilities().expiring || guard.remaining() < ttl);
    let nothing = locks.mutex(&name).key(1).ttl(Duration::from_millis(20)).lock().await;
    assert!(matches!(nothing, Err(Error::Invalid(_))), "too short to be renewed");
}

/// Work that kept the event loop busy kept the lock from being renewed, and ran twice.
pub(crate) async fn bullmq_3183_blocked_event_loop_loses_the_lock(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("busy"), fixture.locks());
    let ttl = Duration::from_secs(1);
    let guard = locks.mutex(&name).ttl(ttl).lock().await.unwrap();
    let end = Instant::now() + ttl * 2;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    guard.ensure_valid().unwrap();
    assert!(soon(fixture.locks().mutex(&name).try_lock()).await.unwrap().is_none());
}

/// Any copy of a task deleted the lock when it ended, whoever held it.
pub(crate) async fn celery_once_101_any_copy_deletes_any_lock(fixture: &impl Fixture) {
    let (key, mut copy) = (fixture.key("copies"), Bare::new(fixture));
    let first = fixture.locks().mutex_at(key.clone()).unwrap().lock().await.unwrap();
    let ask = copy.ask(&key, 1, Queueing::No);
    copy.store.acquire(&ask).await.unwrap();
    assert!(!copy.release(&ask).await.found);
    assert!(fixture.locks().mutex_at(key).unwrap().try_lock().await.unwrap().is_none());
    first.ensure_valid().unwrap();
}
