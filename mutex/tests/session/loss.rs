//! A lease that cannot be kept is given up before the store gives it away.

use std::time::{Duration, Instant};

use celeriac_mutex::{Error, LeaseLost};

use super::{behind, impatient};
use crate::support::faulty::{Gate, Gates, OPEN};

#[tokio::test]
async fn a_holder_that_cannot_renew_is_told_before_another_can_be_granted() {
    for renew in [Gate::Never, Gate::Refused, Gate::Slow] {
        let store = behind(OPEN);
        let guard = impatient(&store).mutex("m").lock().await.unwrap();
        store.set(Gates { renew, ..OPEN });
        if renew == Gate::Slow {
            // Three times as long as the lease would last.
            store.until_renewed(guard.id(), 9).await;
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

    let store = behind(OPEN);
    let guard = impatient(&store).mutex("m").lock().await.unwrap();
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
    let store = behind(OPEN);
    let locks = impatient(&store);
    let mut guards = Vec::new();
    for number in 0..1000 {
        guards.push(locks.mutex("m").key(number).ttl(Duration::from_secs(1)).lock().await.unwrap());
    }
    let before = store.batches();
    store.until_renewed(guards[0].id(), 3).await;
    let batches = store.batches() - before;
    assert!(guards.iter().all(|guard| guard.ensure_valid().is_ok()));
    assert!((2..60).contains(&batches), "{batches} batches for a thousand leases, each renewed three times");
}

#[tokio::test]
async fn a_thread_that_is_kept_busy_keeps_its_leases() {
    let store = behind(OPEN);
    let guard = impatient(&store).mutex("m").lock().await.unwrap();
    // This runtime has one thread, and it does nothing else for three times the ttl.
    let end = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
    guard.ensure_valid().unwrap();
    assert!(store.other().mutex("m").try_lock().await.unwrap().is_none());
}
