use std::time::Duration;

use super::{
    Fixture,
    steps::{soon, until_waiting},
};
use crate::{LeaseLost, Owner, Released, Taken};

/// Revoking asks: the holder is told at once, and the lock stays its own until it lets go.
pub async fn a_revoked_holder_is_told_and_keeps_it_until_it_lets_go(fixture: &impl Fixture) {
    let (name, locks, operator) = (fixture.name("revoked"), fixture.locks(), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    assert!(!operator.revoke(guard.key(), &"nobody.1".into()).await.unwrap());
    assert!(operator.revoke(guard.key(), guard.id()).await.unwrap());
    soon(guard.lost().cancelled()).await;
    assert_eq!(guard.lost_reason(), Some(LeaseLost::Revoked));
    assert!(operator.mutex(&name).try_lock().await.unwrap().is_none());
    let work = guard.run(async { panic!("it is not started") }).await;
    assert!(work.is_err());
    guard.release().await.unwrap();
    assert!(operator.mutex(&name).try_lock().await.unwrap().is_some());
}

/// A forced release gives the lock to the next, whose token is higher, and the old holder is told.
pub async fn a_forced_release_hands_over_and_is_noticed(fixture: &impl Fixture) {
    let (name, locks, operator) = (fixture.name("forced"), fixture.locks(), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    let mutex = fixture.locks().mutex(&name);
    let waiter = tokio::spawn(async move { mutex.lock().await.unwrap() });
    until_waiting(&locks, guard.key(), 1).await;
    assert!(operator.force_release(guard.key(), guard.id()).await.unwrap());
    let next = soon(waiter).await.unwrap();
    assert!(next.fencing_token() > guard.fencing_token());
    soon(guard.lost().cancelled()).await;
    assert_eq!(guard.lost_reason(), Some(LeaseLost::Taken));
    assert_eq!(guard.release().await.unwrap(), Released::AlreadyLost);
    next.ensure_valid().unwrap();
}

/// An operator sees who holds a lock, since when, and who waits, in order.
pub async fn holders_and_waiters_are_shown(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("shown"), fixture.locks());
    let semaphore =
        |who: &str| locks.semaphore(&name, 2).key("eu").owner(Owner::worker("here").task("billing.charge", who));
    let one = semaphore("one").acquire().await.unwrap();
    let two = semaphore("two").acquire().await.unwrap();
    let waiting = semaphore("three");
    let waiter = tokio::spawn(async move { waiting.acquire().await });
    until_waiting(&locks, one.key(), 1).await;
    let Taken::Parked(place) = semaphore("four").take_or_park(None).await.unwrap() else {
        panic!("two of two are held")
    };
    assert_eq!(place.holder.and_then(|holder| holder.id).as_deref(), Some("one"), "the oldest");

    let operator = fixture.locks();
    let state = operator.inspect(one.key()).await.unwrap().unwrap();
    assert_eq!((state.leases, state.used, state.resized), (2, 2, false));
    let ids: Vec<_> = state.holders.iter().map(|holder| holder.owner.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["one", "two"]);
    assert_eq!(state.holders[1].fence, two.fencing_token());
    assert_eq!(state.holders[1].lease, *two.id());
    assert_eq!(state.holders[0].owner.task.as_deref(), Some("billing.charge"));
    assert!(state.holders[0].since.elapsed().unwrap_or_default() < Duration::from_secs(60));
    assert!(state.holders[0].ttl_left.is_none_or(|left| left <= Duration::from_millis(600)));
    let waiters: Vec<_> =
        state.waiters.iter().map(|waiter| (waiter.owner.id.as_deref().unwrap(), waiter.due.is_some())).collect();
    assert_eq!(waiters, [("three", false), ("four", true)]);

    let listed = operator.list(10_000).await.unwrap();
    let line = listed.iter().find(|line| line.key == *one.key()).expect("it is listed");
    assert_eq!((line.leases, line.used, line.waiting), (2, 2, 2));
    waiter.abort();
}
