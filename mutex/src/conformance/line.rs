use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use super::{
    Fixture,
    steps::{Bare, eventually, soon, until_waiting},
};
use crate::{
    Taken,
    store::{Answer, Ask, Handed, Hint, PROBATION, Queueing, Release, Renewed},
};

/// Waiters of several processes are served first come, first served.
pub async fn waiters_are_served_in_order(fixture: &impl Fixture) {
    let (name, first) = (fixture.name("order"), fixture.locks());
    let processes = [fixture.locks(), fixture.locks(), first.clone()];
    let guard = first.mutex(&name).lock().await.unwrap();
    let (served, mut order) = mpsc::unbounded_channel();
    for number in 0..9 {
        let (mutex, served) = (processes[number % 3].mutex(&name), served.clone());
        tokio::spawn(async move {
            let guard = mutex.lock().await.unwrap();
            served.send(number).unwrap();
            guard.release().await.unwrap();
        });
        until_waiting(&first, first.mutex(&name).lock_key(), number + 1).await;
    }
    guard.release().await.unwrap();
    for number in 0..9 {
        assert_eq!(soon(order.recv()).await, Some(number));
    }
}

/// What a release hands over is said in its answer to a waiter of the same process, which has nothing to confirm, and by a hint to one of
/// another process, which has.
pub async fn a_release_hands_over_in_its_answer_to_its_own_process_and_by_a_hint_to_another(fixture: &impl Fixture) {
    let (key, mut one, mut other) = (fixture.key("answered"), Bare::new(fixture), Bare::new(fixture));
    let long = |ask: Arc<Ask>| Arc::new(Ask { ttl: Duration::from_secs(20), ..(*ask).clone() });
    let [held, own] = [Queueing::No, Queueing::Wait].map(|queueing| long(one.ask(&key, 1, queueing)));
    let (others, last) = (long(other.ask(&key, 1, Queueing::Wait)), long(one.ask(&key, 1, Queueing::Wait)));
    let fence = one.granted(&held).await.fence;
    for (bare, ask) in [(&one, &own), (&other, &others), (&one, &last)] {
        assert!(matches!(bare.store.acquire(ask).await.unwrap(), Answer::Queued { .. }));
    }

    let Release { found: true, handed, look: None } = one.release(&held).await else { panic!("the next is another's") };
    let [Handed { lease, granted }] = &handed[..] else { panic!("{handed:?}") };
    assert_eq!((lease, granted.leases), (&own.lease, 1));
    assert!(granted.fence > fence && granted.ttl >= own.ttl, "{granted:?}");
    let left = one.store.inspect(&key).await.unwrap().unwrap().holders[0].ttl_left;
    assert!(left.is_none_or(|left| left > PROBATION), "{left:?}: nothing is to be confirmed");

    let release = one.release(&own).await;
    assert_eq!(release.handed, []);
    assert_eq!(release.look.map(|(lease, _)| lease).as_ref(), Some(&last.lease));
    let granted = Hint::Granted { key: key.clone(), lease: others.lease.clone() };
    soon(async { while other.hints.recv().await.unwrap() != granted {} }).await;
    assert!(matches!(other.renew(&others, None, false).await, Renewed::Granted(_)));

    assert_eq!(other.release(&others).await, Release { found: true, ..Release::default() });
    let first = soon(one.hints.recv()).await;
    assert_eq!(first, Some(Hint::Granted { key, lease: last.lease.clone() }), "it was told nothing before");
}

/// Dropping the future of a waiter takes it out of the line.
pub async fn a_waiter_that_is_dropped_leaves_the_line(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("leaves"), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    let mutex = fixture.locks().mutex(&name);
    let waiter = tokio::spawn(async move { mutex.lock().await });
    let key = locks.mutex(&name).lock_key().clone();
    until_waiting(&locks, &key, 1).await;
    waiter.abort();
    until_waiting(&locks, &key, 0).await;
    guard.release().await.unwrap();
    assert!(locks.mutex(&name).try_lock().await.unwrap().is_some());
}

/// A wait with a bound ends without the lock, and without a place.
pub async fn a_timeout_leaves_the_line(fixture: &impl Fixture) {
    let (name, locks, other) = (fixture.name("timeout"), fixture.locks(), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    assert!(other.mutex(&name).lock_timeout(Duration::from_millis(50)).await.unwrap().is_none());
    until_waiting(&locks, guard.key(), 0).await;
    guard.release().await.unwrap();
    let later = other.mutex(&name).lock_timeout(Duration::from_secs(5)).await.unwrap();
    assert!(later.is_some());
}

/// An unfair asker takes what is free past a waiter that needs more; a fair one does not.
pub async fn an_unfair_asker_goes_past_the_line(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("unfair"), fixture.locks());
    let one = locks.semaphore(&name, 2).acquire().await.unwrap();
    let both = fixture.locks().semaphore(&name, 2).weight(2);
    let heavy = tokio::spawn(async move { both.acquire().await.unwrap() });
    until_waiting(&locks, one.key(), 1).await;
    assert!(locks.semaphore(&name, 2).try_acquire().await.unwrap().is_none(), "the heavy one is first");
    let past = locks.semaphore(&name, 2).unfair().try_acquire().await.unwrap().expect("one is free");
    past.release().await.unwrap();
    one.release().await.unwrap();
    soon(heavy).await.unwrap().release().await.unwrap();
}

/// A place that is kept by its ticket stays before those who came later.
pub async fn a_parked_place_keeps_its_rank(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("rank"), fixture.locks());
    let mutex = locks.mutex(&name);
    let guard = mutex.lock().await.unwrap();
    let mut places = Vec::new();
    for expected in 1..=3 {
        let Taken::Parked(place) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
        assert_eq!(place.position, expected);
        assert!(place.delay >= Duration::from_millis(50), "{place:?}");
        places.push(place);
    }
    let Taken::Parked(first) = mutex.take_or_park(Some(&places[0].ticket)).await.unwrap() else { panic!("it is held") };
    assert_eq!(first.position, 1, "it came first, and still is");
    let Taken::Parked(third) = mutex.take_or_park(Some(&places[2].ticket)).await.unwrap() else { panic!("it is held") };
    assert_eq!(third.position, 3);
    guard.release().await.unwrap();
    assert!(matches!(mutex.take_or_park(Some(&first.ticket)).await.unwrap(), Taken::Granted(_)));
}

/// Of two copies that come back with the same ticket, one has the place.
pub async fn a_ticket_is_used_once(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("ticket"), fixture.locks());
    let mutex = locks.mutex(&name);
    let guard = mutex.lock().await.unwrap();
    let Taken::Parked(first) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
    let Taken::Parked(_) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
    let Taken::Parked(once) = mutex.take_or_park(Some(&first.ticket)).await.unwrap() else { panic!("it is held") };
    let Taken::Parked(twice) = mutex.take_or_park(Some(&first.ticket)).await.unwrap() else { panic!("it is held") };
    assert_eq!((once.position, twice.position), (1, 3));
    guard.release().await.unwrap();
}

/// While parked places are away others go past them, but not for ever: then the lock is kept for the first, and those behind it were passed
/// over as often.
pub async fn a_parked_place_is_passed_over_a_bounded_number_of_times(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("passed"), fixture.locks());
    let mutex = locks.mutex(&name);
    let guard = mutex.lock().await.unwrap();
    let Taken::Parked(first) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
    let Taken::Parked(second) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
    guard.release().await.unwrap();
    let first_ticket = first.ticket.clone();
    let mut past = 0;
    while let Some(guard) = mutex.try_lock().await.unwrap() {
        past += 1;
        assert!(past <= crate::store::MAX_BYPASS, "passed over {past} times");
        guard.release().await.unwrap();
    }
    assert_eq!(past, crate::store::MAX_BYPASS);
    for place in [first, second] {
        let Taken::Granted(guard) = mutex.take_or_park(Some(&place.ticket)).await.unwrap() else {
            panic!("it was kept for this place")
        };
        guard.release().await.unwrap();
        let kept = place.ticket == first_ticket;
        assert_eq!(mutex.try_lock().await.unwrap().is_none(), kept, "kept for the second, and for nobody after it");
    }
}

/// A turn that is expected soon is waited for; where it does not come, the place is kept as before.
pub async fn a_turn_that_is_soon_is_waited_for_and_the_place_is_kept_where_it_does_not_come(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("soon"), fixture.locks());
    let (mutex, long) = (locks.mutex(&name), Duration::from_secs(60));
    let holder = mutex.lock().await.unwrap();
    let Taken::Parked(first) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
    let Taken::Parked(second) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
    let Taken::Parked(first) = soon(mutex.wait_or_park(Some(&first.ticket), long)).await.unwrap() else {
        panic!("it is held")
    };
    assert_eq!(first.position, 1);
    let Taken::Parked(second) = mutex.wait_or_park(Some(&second.ticket), Duration::ZERO).await.unwrap() else {
        panic!("it is held")
    };
    assert_eq!(second.position, 2);
    let state = locks.inspect(mutex.lock_key()).await.unwrap().unwrap();
    assert!(state.waiters.iter().all(|waiter| waiter.due.is_some()), "both are away: {state:?}");

    let other = fixture.locks().mutex(&name);
    let waiting = tokio::spawn(async move {
        let mut place = first;
        loop {
            match other.wait_or_park(Some(&place.ticket), long).await.unwrap() {
                Taken::Granted(guard) => return guard,
                Taken::Parked(kept) => place = kept,
            }
        }
    });
    eventually(|| async {
        let state = locks.inspect(mutex.lock_key()).await.unwrap().unwrap();
        state.waiters.iter().any(|waiter| waiter.due.is_none()).then_some(())
    })
    .await;
    holder.release().await.unwrap();
    soon(waiting).await.unwrap().release().await.unwrap();
    assert!(matches!(mutex.take_or_park(Some(&second.ticket)).await.unwrap(), Taken::Granted(_)));
}
