use super::{
    Fixture,
    steps::{soon, until_waiting},
};
use crate::Error;

/// A semaphore of three has three holders, and no fourth.
pub async fn a_semaphore_has_so_many_holders(fixture: &impl Fixture) {
    let name = fixture.name("three");
    let processes = [fixture.locks(), fixture.locks()];
    let mut permits = Vec::new();
    for number in 0..3 {
        permits.push(processes[number % 2].semaphore(&name, 3).try_acquire().await.unwrap().expect("one is free"));
    }
    assert!(processes[0].semaphore(&name, 3).try_acquire().await.unwrap().is_none());
    permits.pop().unwrap().release().await.unwrap();
    assert!(processes[1].semaphore(&name, 3).try_acquire().await.unwrap().is_some());
}

/// One who wants many permits is served before those who came later and want few.
pub async fn a_heavy_waiter_is_not_overtaken(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("heavy"), fixture.locks());
    let one = locks.semaphore(&name, 3).acquire().await.unwrap();
    let all = fixture.locks().semaphore(&name, 3).weight(3);
    let heavy = tokio::spawn(async move { all.acquire().await.unwrap() });
    until_waiting(&locks, one.key(), 1).await;
    let single = fixture.locks().semaphore(&name, 3);
    let light = tokio::spawn(async move { single.acquire().await.unwrap() });
    until_waiting(&locks, one.key(), 2).await;
    one.release().await.unwrap();
    let heavy = soon(heavy).await.unwrap();
    assert!(!light.is_finished(), "three of three are taken");
    heavy.release().await.unwrap();
    soon(light).await.unwrap().release().await.unwrap();
}

/// A program that says another number of leases does not change it.
pub async fn the_stored_number_of_leases_wins(fixture: &impl Fixture) {
    let (name, one, other) = (fixture.name("stored"), fixture.locks(), fixture.locks());
    let first = one.semaphore(&name, 1).acquire().await.unwrap();
    assert!(other.semaphore(&name, 5).try_acquire().await.unwrap().is_none());
    assert_eq!(one.inspect(first.key()).await.unwrap().unwrap().leases, 1);
    first.release().await.unwrap();
}

/// Growing a semaphore serves those who wait.
pub async fn more_leases_serve_those_who_wait(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("grow"), fixture.locks());
    let first = locks.semaphore(&name, 1).acquire().await.unwrap();
    let waiting = fixture.locks().semaphore(&name, 1);
    let second = tokio::spawn(async move { waiting.acquire().await.unwrap() });
    until_waiting(&locks, first.key(), 1).await;
    fixture.locks().resize(first.key(), Some(2)).await.unwrap();
    let second = soon(second).await.unwrap();
    let state = locks.inspect(first.key()).await.unwrap().unwrap();
    assert_eq!((state.leases, state.used, state.resized), (2, 2, true));
    second.release().await.unwrap();
    // Back to what its users say.
    locks.resize(first.key(), None).await.unwrap();
    first.release().await.unwrap();
    locks.semaphore(&name, 7).acquire().await.unwrap().release().await.unwrap();
    assert_eq!(locks.inspect(locks.semaphore(&name, 7).lock_key()).await.unwrap().unwrap().leases, 7);
}

/// Shrinking a semaphore leaves its holders what they have, and gives out no more until enough came back.
pub async fn fewer_leases_take_none_back(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("shrink"), fixture.locks());
    let one = locks.semaphore(&name, 2).acquire().await.unwrap();
    let two = locks.semaphore(&name, 2).acquire().await.unwrap();
    locks.resize(one.key(), Some(1)).await.unwrap();
    one.ensure_valid().unwrap();
    two.release().await.unwrap();
    assert!(locks.semaphore(&name, 2).try_acquire().await.unwrap().is_none(), "one of one is held");
    one.release().await.unwrap();
    assert!(locks.semaphore(&name, 2).try_acquire().await.unwrap().is_some());
}

/// Who wants more permits than there are would wait for ever, and is told so.
pub async fn a_weight_beyond_the_stored_leases_is_refused(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("weight"), fixture.locks());
    let permit = locks.semaphore(&name, 2).acquire().await.unwrap();
    for locks in [locks.clone(), fixture.locks()] {
        let error = locks.semaphore(&name, 5).weight(3).acquire().await.unwrap_err();
        assert!(matches!(&error, Error::Invalid(text) if text.contains(&name)), "{error}");
    }
    permit.release().await.unwrap();
}

/// One who waits for more permits than an operator has left is told so, and holds nobody back.
pub async fn a_waiter_for_more_than_is_left_is_told(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("left"), fixture.locks());
    let two = locks.semaphore(&name, 3).weight(2).acquire().await.unwrap();
    let all = fixture.locks().semaphore(&name, 3).weight(3);
    let heavy = tokio::spawn(async move { all.acquire().await.map(drop) });
    until_waiting(&locks, two.key(), 1).await;
    let one = fixture.locks().semaphore(&name, 3);
    let light = tokio::spawn(async move { one.acquire().await.unwrap() });
    until_waiting(&locks, two.key(), 2).await;
    locks.resize(two.key(), Some(2)).await.unwrap();
    let told = soon(heavy).await.unwrap();
    assert!(matches!(&told, Err(Error::Invalid(text)) if text.contains(&name)), "{told:?}");
    two.release().await.unwrap();
    soon(light).await.unwrap().release().await.unwrap();
}
