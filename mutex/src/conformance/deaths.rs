use super::{
    Fixture,
    steps::{Bare, eventually, soon, until_waiting},
};
use crate::store::{Answer, Queueing, Renewed};

/// A holder that dies frees its lock: after its ttl, or at once where its death is seen.
pub async fn a_dead_holder_frees_its_lock(fixture: &impl Fixture) {
    let (key, mut holder, locks) = (fixture.key("dead"), Bare::new(fixture), fixture.locks());
    let held = holder.ask(&key, 1, Queueing::No);
    let fence = holder.granted(&held).await.fence;
    let mutex = locks.mutex_at(key.clone()).unwrap();
    let waiter = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, &key, 1).await;
    holder.die().await;
    let next = soon(waiter).await.unwrap();
    assert!(next.fencing_token() > fence);
}

/// A waiter that died before its turn is passed over.
pub async fn a_dead_waiter_is_skipped(fixture: &impl Fixture) {
    let (key, mut waiter, locks) = (fixture.key("skipped"), Bare::new(fixture), fixture.locks());
    let guard = locks.mutex_at(key.clone()).unwrap().lock().await.unwrap();
    let waits = waiter.ask(&key, 1, Queueing::Wait);
    waiter.store.acquire(&waits).await.unwrap();
    let mutex = fixture.locks().mutex_at(key.clone()).unwrap();
    let next = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, &key, 2).await;
    waiter.die().await;
    guard.release().await.unwrap();
    drop(soon(next).await.unwrap());
}

/// A holder that was away while its lease went to another is told so by its next renewal.
pub async fn a_renewal_after_another_was_granted_is_refused(fixture: &impl Fixture) {
    let (key, mut holder, mut other) = (fixture.key("away"), Bare::new(fixture), Bare::new(fixture));
    let held = holder.ask(&key, 1, Queueing::No);
    let fence = holder.granted(&held).await.fence;
    let renewed = holder.renew(&held, Some(fence), false).await;
    assert!(matches!(renewed, Renewed::Held { revoked: false, .. }), "{renewed:?}");
    if !holder.store.capabilities().expiring {
        holder.store.force_release(&key, &held.lease).await.unwrap();
    }
    let next = eventually(|| {
        let (store, ask) = (other.store.clone(), other.ask(&key, 1, Queueing::No));
        async move {
            match store.acquire(&ask).await.unwrap() {
                Answer::Granted(next) => Some(next),
                Answer::Busy { .. } => None,
                answer => panic!("{answer:?}"),
            }
        }
    });
    assert!(next.await.fence > fence);
    assert_eq!(holder.renew(&held, Some(fence), false).await, Renewed::Lost);
    // Not even its word is taken: the store has not lost its memory.
    assert_eq!(holder.renew(&held, Some(fence), true).await, Renewed::Lost);
}
