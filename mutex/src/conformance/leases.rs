use std::time::{Duration, Instant};

use super::{Fixture, steps::soon};
use crate::{Error, LeaseLost, Released};

/// A lease is held for as long as its holder wants, by renewal.
pub async fn a_held_lease_is_renewed(fixture: &impl Fixture) {
    let (name, locks, other) = (fixture.name("renewed"), fixture.locks(), fixture.locks());
    let guard = locks.mutex(&name).ttl(Duration::from_millis(300)).lock().await.unwrap();
    let longer = Duration::from_millis(900);
    assert!(other.mutex(&name).lock_timeout(longer).await.unwrap().is_none());
    guard.ensure_valid().unwrap();
    assert_eq!(guard.release().await.unwrap(), Released::Ok);
}

/// A lease whose renewal was stopped ends, and its holder is told why, before another gets it.
pub async fn a_lease_that_is_not_to_be_renewed_ends(fixture: &impl Fixture) {
    let (name, locks) = (fixture.name("overlong"), fixture.locks());
    let guard = locks.mutex(&name).lock().await.unwrap();
    guard.stop_renewing_at(Instant::now());
    let other = fixture.locks().mutex(&name);
    let next = tokio::spawn(async move { other.lock().await.unwrap() });
    soon(guard.lost().cancelled()).await;
    assert_eq!(guard.lost_reason(), Some(LeaseLost::Overlong));
    assert!(matches!(guard.ensure_valid(), Err(Error::Lost { reason: LeaseLost::Overlong, .. })));
    assert_eq!(guard.remaining(), Duration::ZERO);
    let next = soon(next).await.unwrap();
    assert!(next.fencing_token() > guard.fencing_token());
}

/// Closing releases what is held, and what is asked for later fails.
pub async fn closing_releases_everything(fixture: &impl Fixture) {
    let (name, locks, other) = (fixture.name("closing"), fixture.locks(), fixture.locks());
    let one = locks.mutex(&name).key(1).lock().await.unwrap();
    let two = locks.mutex(&name).key(2).lock().await.unwrap();
    soon(locks.close()).await;
    assert!(one.lost().is_cancelled() && two.lost().is_cancelled());
    assert!(other.mutex(&name).key(1).try_lock().await.unwrap().is_some());
    assert!(other.mutex(&name).key(2).try_lock().await.unwrap().is_some());
    assert!(matches!(locks.mutex(&name).key(3).lock().await, Err(Error::Closed)));
}
