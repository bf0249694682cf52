//! A lease that cannot be kept is given up before the store gives it away.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use celeriac_mutex::{Error, LeaseLost};

use crate::gates::{Gate, Gated, Gates, OPEN};

#[tokio::test]
async fn a_holder_that_cannot_renew_is_told_before_another_can_be_granted() {
    for renew in [Gate::Never, Gate::Refused, Gate::Slow] {
        let store = Gated::new(OPEN);
        let guard = store.locks().mutex("m").lock().await.unwrap();
        store.set(Gates { renew, ..OPEN });
        if renew == Gate::Slow {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            guard.ensure_valid().unwrap();
            continue;
        }
        guard.lost().cancelled().await;
        assert_eq!(guard.lost_reason(), Some(LeaseLost::Unreachable));
        let state = store.other().inspect(guard.key()).await.unwrap().unwrap();
        assert_eq!(state.holders.len(), 1, "{renew:?}: the store still holds it for us when we give it up");
        let next = store.other().mutex("m").lock().await.unwrap();
        assert!(next.fencing_token() > guard.fencing_token());
    }
}

#[tokio::test]
async fn work_under_a_lease_is_dropped_when_it_is_lost() {
    struct Dropped<'a>(&'a std::sync::Mutex<Option<Instant>>);
    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(Instant::now());
        }
    }

    let store = Gated::new(OPEN);
    let guard = store.locks().mutex("m").lock().await.unwrap();
    store.set(Gates { renew: Gate::Never, ..OPEN });
    let dropped = std::sync::Mutex::new(None);
    let work = async {
        let _witness = Dropped(&dropped);
        std::future::pending::<()>().await;
    };
    let lost = guard.run(work).await.unwrap_err();
    assert!(matches!(lost, Error::Lost { reason: LeaseLost::Unreachable, .. }), "{lost}");
    assert!(dropped.lock().unwrap().is_some());
    let state = store.other().inspect(guard.key()).await.unwrap().unwrap();
    assert_eq!(state.holders.len(), 1, "the store could not give it away before the work was dropped");
}

#[tokio::test]
async fn a_thousand_leases_are_renewed_together() {
    let store = Gated::new(OPEN);
    let locks = store.locks();
    let mut guards = Vec::new();
    for number in 0..1000 {
        guards.push(locks.mutex("m").key(number).ttl(Duration::from_secs(1)).lock().await.unwrap());
    }
    let before = store.renewals.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let renewals = store.renewals.load(Ordering::SeqCst) - before;
    assert!(guards.iter().all(|guard| guard.ensure_valid().is_ok()));
    assert!(
        (2..60).contains(&renewals),
        "{renewals} batches in a second for a thousand leases, each renewed three times"
    );
}

#[tokio::test]
async fn a_thread_that_is_kept_busy_keeps_its_leases() {
    let store = Gated::new(OPEN);
    let guard = store.locks().mutex("m").lock().await.unwrap();
    // This runtime has one thread, and it does nothing else for three times the ttl.
    let end = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    guard.ensure_valid().unwrap();
    assert!(store.other().mutex("m").try_lock().await.unwrap().is_none());
}
