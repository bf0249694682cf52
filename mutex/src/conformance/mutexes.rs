use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{
    Fixture,
    steps::{Bare, soon, until_waiting},
};
use crate::{Released, store::Queueing};

/// While one holds a mutex, no other process and no other future of the same process gets it.
pub async fn a_mutex_has_one_holder(fixture: &impl Fixture) {
    let (name, one, other) = (fixture.name("one"), fixture.locks(), fixture.locks());
    let guard = one.mutex(&name).key(1).try_lock().await.unwrap().expect("nobody holds it");
    assert!(other.mutex(&name).key(1).try_lock().await.unwrap().is_none());
    assert!(one.mutex(&name).key(1).try_lock().await.unwrap().is_none(), "it cannot be locked twice");
    guard.ensure_valid().unwrap();
    assert_eq!(guard.release().await.unwrap(), Released::Ok);
    assert!(other.mutex(&name).key(1).try_lock().await.unwrap().is_some());
}

/// Each grant of one lock has a higher token than all before it.
pub async fn tokens_rise_with_every_grant(fixture: &impl Fixture) {
    let (name, one, other) = (fixture.name("tokens"), fixture.locks(), fixture.locks());
    let mut last = None;
    for locks in [&one, &other, &one, &one, &other] {
        let guard = locks.mutex(&name).lock().await.unwrap();
        assert!(Some(guard.fencing_token()) > last);
        last = Some(guard.fencing_token());
        guard.release().await.unwrap();
    }
}

/// Keys, and the parts of keys, name different locks.
pub async fn keys_are_independent(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("keys"), fixture.locks());
    let mut guards = Vec::new();
    for mutex in [
        locks.mutex(&name),
        locks.mutex(&name).key("a"),
        locks.mutex(&name).key(("a:b", "c")),
        locks.mutex(&name).key(("a", "b:c")),
        locks.mutex(&name).key("{a}"),
        locks.mutex(&name).key("\u{1F980} %3A"),
    ] {
        guards.push(mutex.try_lock().await.unwrap().expect("a key of its own"));
    }
    let permit = locks.semaphore(&name, 1).try_acquire().await.unwrap();
    assert!(permit.is_some(), "a semaphore of the same name is another lock");
}

/// Who waits gets the lock when it is released, in another process or the same.
pub async fn a_waiter_is_handed_the_lock(fixture: &impl Fixture) {
    let (name, one) = (fixture.name("handed"), fixture.locks());
    for other in [fixture.locks(), one.clone()] {
        let guard = one.mutex(&name).lock().await.unwrap();
        let (token, mutex) = (guard.fencing_token(), other.mutex(&name));
        let waiter = tokio::spawn(async move { mutex.lock().await.unwrap() });
        until_waiting(&one, one.mutex(&name).lock_key(), 1).await;
        guard.release().await.unwrap();
        let next = soon(waiter).await.unwrap();
        assert!(next.fencing_token() > token);
        next.ensure_valid().unwrap();
        next.release().await.unwrap();
    }
}

/// A hundred contenders in three processes hold a mutex one after the other, in the order of their tokens.
pub async fn many_contenders_never_overlap(fixture: &impl Fixture) {
    let name = fixture.name("contended");
    let processes = [fixture.locks(), fixture.locks(), fixture.locks()];
    let (inside, last) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut contenders = tokio::task::JoinSet::new();
    for number in 0..99 {
        let mutex = processes[number % 3].mutex(&name);
        let (inside, last) = (inside.clone(), last.clone());
        contenders.spawn(async move {
            let guard = mutex.lock().await.unwrap();
            assert!(!inside.swap(true, Ordering::SeqCst), "two at once");
            assert!(last.swap(guard.fencing_token().get(), Ordering::SeqCst) < guard.fencing_token().get());
            tokio::task::yield_now().await;
            guard.ensure_valid().unwrap();
            inside.store(false, Ordering::SeqCst);
            guard.release().await.unwrap();
        });
    }
    while let Some(done) = soon(contenders.join_next()).await {
        done.unwrap();
    }
}

/// Dropping a guard releases it, without anybody awaiting that.
pub async fn a_dropped_guard_releases(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("dropped"), fixture.locks());
    drop(locks.mutex(&name).lock().await.unwrap());
    drop(soon(fixture.locks().mutex(&name).lock()).await.unwrap());
}

/// Releasing again, or under another's id, frees nothing.
pub async fn a_second_release_frees_nothing_of_anothers(fixture: &impl Fixture) {
    let (key, mut one, mut other) = (fixture.key("second"), Bare::new(fixture), Bare::new(fixture));
    let first = one.ask(&key, 1, Queueing::No);
    one.granted(&first).await;
    assert!(one.release(&first).await.found);
    let second = other.ask(&key, 1, Queueing::No);
    other.granted(&second).await;
    assert!(!one.release(&first).await.found);
    let nobodys = one.ask(&key, 1, Queueing::No);
    assert!(!one.release(&nobodys).await.found);
    let held = one.store.inspect(&key).await.unwrap().unwrap();
    assert_eq!(held.holders.iter().map(|holder| &holder.lease).collect::<Vec<_>>(), [&second.lease]);
}

/// A question whose answer was lost is asked again, and granted the same lease.
pub async fn a_question_that_is_repeated_is_granted_once(fixture: &impl Fixture) {
    let (key, mut bare) = (fixture.key("repeated"), Bare::new(fixture));
    let ask = bare.ask(&key, 1, Queueing::Wait);
    let first = bare.granted(&ask).await;
    assert_eq!(bare.granted(&ask).await.fence, first.fence);
    let state = bare.store.inspect(&key).await.unwrap().unwrap();
    assert_eq!((state.used, state.holders.len(), state.waiters.len()), (1, 1, 0));
}
