//! What a release hands to a waiter of the same process, whatever becomes of the answer that says so.

use std::time::Duration;

use celeriac_mutex::{
    MutexGuard, Owner, Released,
    conformance::steps::{until_waiting, within},
    store::{Answer, Ask, LeaseId, LeaseStore, ProcessId, Queueing},
};
use tokio::time::timeout;

use super::{behind, impatient};
use crate::support::faulty::{Faulty, Gate, Gates, OPEN};

/// Leases that nobody looks at for seconds, unless something has made it do so.
const LONG: Duration = Duration::from_secs(20);
/// Well before that.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Two of one process wait for a lock that a third holds, and get it one after the other once `give` has let go of it while `gates` are
/// in the way.
async fn is_handed_over<T>(gates: Gates, give: impl AsyncFnOnce(&Faulty, MutexGuard) -> T) -> T {
    let store = behind(OPEN);
    let locks = impatient(&store);
    let guard = locks.mutex("m").ttl(LONG).lock().await.unwrap();
    store.set(Gates { acquire: gates.acquire, ..OPEN });
    let (first, second) = (locks.mutex("m").ttl(LONG), locks.mutex("m").ttl(LONG));
    let first = tokio::spawn(async move { first.lock().await.unwrap() });
    until_waiting(&store.other(), guard.key(), 1).await;
    store.set(OPEN);
    let second = tokio::spawn(async move { second.lock().await.unwrap() });
    until_waiting(&store.other(), guard.key(), 2).await;
    store.set(Gates { release: gates.release, ..OPEN });
    let token = guard.fencing_token();
    let given = give(&store, guard).await;
    store.set(OPEN);
    let first = within(AT_ONCE, first).await.unwrap();
    assert!(first.fencing_token() > token, "{gates:?}");
    assert!(first.remaining() > LONG / 2, "{gates:?}: {:?}", first.remaining());
    let renewals = store.renewals(first.id());
    assert_eq!(first.release().await.unwrap(), Released::Ok);
    let second = within(AT_ONCE, second).await.unwrap();
    assert_eq!(second.release().await.unwrap(), Released::Ok, "after {renewals} renewals");
    given
}

#[tokio::test]
async fn a_waiter_of_the_same_process_has_its_lease_when_the_release_is_answered() {
    let store = behind(OPEN);
    let locks = impatient(&store);
    let guard = locks.mutex("m").ttl(LONG).lock().await.unwrap();
    let next = locks.mutex("m").ttl(LONG);
    let next = tokio::spawn(async move { next.lock().await.unwrap() });
    until_waiting(&locks, guard.key(), 1).await;
    let batches = store.batches();
    guard.release().await.unwrap();
    let next = next.await.unwrap();
    // The two were all that was asked.
    assert_eq!(store.batches(), batches, "nothing was renewed");
    next.release().await.unwrap();
}

#[tokio::test]
async fn a_release_whose_answer_is_lost_hands_over_at_once() {
    let release = |release| Gates { release, ..OPEN };
    is_handed_over(release(Gate::ReplyLost), async |_, guard| guard.release().await.unwrap_err()).await;
    // Then it was there, but not for the second question.
    let released = is_handed_over(release(Gate::Repeated), async |_, guard| guard.release().await.unwrap()).await;
    assert_eq!(released, Released::AlreadyLost);
}

#[tokio::test]
async fn a_guard_that_is_dropped_hands_over_whether_its_release_is_answered_or_not() {
    for gate in [Gate::Open, Gate::Slow, Gate::Repeated, Gate::ReplyLost] {
        let dropped = async |store: &Faulty, guard: MutexGuard| {
            let releases = store.releases();
            drop(guard);
            store.until(|asked| (asked.releases > releases).then_some(())).await;
        };
        is_handed_over(Gates { release: gate, ..OPEN }, dropped).await;
    }
}

#[tokio::test]
async fn a_release_that_is_dropped_at_any_time_hands_over_at_once() {
    // It has happened at once, and is answered after 30 ms.
    for millis in [0, 1, 10, 28, 29, 30, 31, 32] {
        let dropped = async |_: &Faulty, guard: MutexGuard| {
            let _ = timeout(Duration::from_millis(millis), guard.release()).await;
        };
        is_handed_over(Gates { release: Gate::Slow, ..OPEN }, dropped).await;
    }
}

#[tokio::test]
async fn a_waiter_that_still_waits_for_its_place_is_handed_the_lease() {
    // It has its place, and does not know.
    for acquire in [Gate::Slow, Gate::ReplyLost] {
        for release in [Gate::Open, Gate::Slow, Gate::Repeated] {
            let released = async |_: &Faulty, guard: MutexGuard| guard.release().await.unwrap();
            is_handed_over(Gates { acquire, release, ..OPEN }, released).await;
        }
    }
}

#[tokio::test]
async fn what_is_handed_to_a_place_that_nobody_here_knows_is_handed_on() {
    let store = behind(OPEN);
    let locks = impatient(&store);
    let guard = locks.mutex("m").ttl(LONG).lock().await.unwrap();
    // As by a question that arrived after its asker had given it up.
    let process = ProcessId::from(guard.id().as_str().split('.').next().unwrap());
    let late = Ask {
        key: guard.key().clone(),
        lease: LeaseId::numbered(&process, u64::MAX),
        process,
        leases: 1,
        weight: 1,
        ttl: LONG,
        queueing: Queueing::Wait,
        place: None,
        fair: true,
        owner: Owner::default(),
    };
    assert!(matches!(store.acquire(&late).await.unwrap(), Answer::Queued { position: 1, .. }));
    let next = locks.mutex("m").ttl(LONG);
    let next = tokio::spawn(async move { next.lock().await.unwrap() });
    until_waiting(&locks, guard.key(), 2).await;
    guard.release().await.unwrap();
    drop(within(AT_ONCE, next).await.unwrap());
}

#[tokio::test]
async fn what_is_handed_to_one_who_has_just_gone_is_handed_on() {
    let store = behind(OPEN);
    let locks = impatient(&store);
    let guard = locks.mutex("m").ttl(LONG).lock().await.unwrap();
    let (gone, next) = (locks.mutex("m").ttl(LONG), locks.mutex("m").ttl(LONG));
    let gone = tokio::spawn(async move { gone.lock().await });
    until_waiting(&store.other(), guard.key(), 1).await;
    let next = tokio::spawn(async move { next.lock().await.unwrap() });
    until_waiting(&store.other(), guard.key(), 2).await;
    store.set(Gates { release: Gate::Slow, ..OPEN });
    let key = guard.key().clone();
    let release = tokio::spawn(guard.release());
    // It holds it, and has not been told.
    until_waiting(&store.other(), &key, 1).await;
    gone.abort();
    release.await.unwrap().unwrap();
    drop(within(AT_ONCE, next).await.unwrap());
}
