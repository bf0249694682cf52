//! Whatever fails, hangs or is dropped at whatever point: no permit leaks, and none is given out twice.

use std::{pin::pin, time::Duration};

use celeriac_mutex::Locks;
use tokio::task::JoinSet;

use super::{behind, impatient};
use crate::support::faulty::{Faulty, Gate, Gates, OPEN};

/// Whatever can become of a question.
const GATES: [Gate; 5] = [Gate::Open, Gate::Slow, Gate::Refused, Gate::ReplyLost, Gate::Never];

/// All three permits come back within the time that leases last.
async fn nothing_is_leaked(store: &Faulty, name: &str, what: &str) {
    let other = store.other();
    let all = other.semaphore(name, 3).weight(3).acquire_timeout(Duration::from_secs(6)).await.unwrap();
    let state = store.other().inspect(other.semaphore(name, 3).lock_key()).await.unwrap();
    assert!(all.is_some(), "{what}: a permit has leaked: {state:?}");
}

/// Asks for so many of three, holds and releases, as far as the gates allow and for as long as `patience`.
async fn use_permits(locks: &Locks, name: &str, weight: u32, patience: Duration) {
    let work = async {
        if let Ok(permit) = locks.semaphore(name, 3).weight(weight).acquire().await {
            // Work that ends with its lease.
            let _ = tokio::time::timeout(Duration::from_millis(5), permit.lost().cancelled()).await;
            drop(permit.release().await);
        }
    };
    // A future that is dropped at its bound is the point.
    let _ = tokio::time::timeout(patience, work).await;
}

#[tokio::test]
async fn no_combination_of_failures_leaks_a_permit() {
    let mut combinations = JoinSet::new();
    for acquire in GATES {
        for renew in GATES {
            for release in GATES {
                let gates = Gates { acquire, renew, release };
                combinations.spawn(async move {
                    let store = behind(gates);
                    let locks = impatient(&store);
                    for patience in [1, 20, 45, 300] {
                        // One after the other, handed over within the process.
                        let turn = || use_permits(&locks, "s", 2, Duration::from_millis(patience));
                        tokio::join!(turn(), turn());
                    }
                    store.set(OPEN);
                    nothing_is_leaked(&store, "s", &format!("{gates:?}")).await;
                });
            }
        }
    }
    let mut count = 0;
    while let Some(done) = combinations.join_next().await {
        done.unwrap();
        count += 1;
    }
    assert_eq!(count, 125);
}

#[tokio::test]
async fn a_wait_that_is_dropped_after_any_number_of_polls_leaks_nothing() {
    for polls in 0..12 {
        let store = behind(OPEN);
        let locks = impatient(&store);
        let first = store.other().semaphore("s", 3).weight(3).acquire().await.unwrap();
        {
            let semaphore = locks.semaphore("s", 3);
            let mut wait = pin!(semaphore.acquire());
            let mut first = Some(first);
            for poll in 0..polls {
                if poll == polls / 2 {
                    drop(first.take());
                }
                // The store and the lease thread get on between two polls.
                let polled = tokio::time::timeout(Duration::from_millis(2), &mut wait).await;
                if polled.is_ok() {
                    break;
                }
            }
        }
        nothing_is_leaked(&store, "s", &format!("dropped after {polls} polls")).await;
    }
}

#[tokio::test]
async fn holders_never_exceed_the_leases_while_everything_fails() {
    let store = behind(OPEN);
    let processes: Vec<_> = (0..3).map(|_| impatient(&store)).collect();
    let mut workers = JoinSet::new();
    for number in 0..12 {
        let locks = processes[number % 3].clone();
        workers.spawn(async move {
            for round in 0..15 {
                use_permits(&locks, "s", 1, Duration::from_millis(3 + (round * 7 + number as u64 * 3) % 40)).await;
            }
        });
    }
    let watcher = store.other();
    let key = watcher.semaphore("s", 3).lock_key().clone();
    for turn in 0.. {
        let gate = GATES[turn % GATES.len()];
        store.set(Gates { acquire: gate, renew: GATES[(turn / 5) % 5], release: GATES[(turn / 2) % 5] });
        if let Some(state) = watcher.inspect(&key).await.unwrap() {
            assert!(state.used <= 3, "{state:?}");
        }
        match tokio::time::timeout(Duration::from_millis(4), workers.join_next()).await {
            Ok(None) => break,
            Ok(Some(done)) => done.unwrap(),
            Err(_) => {}
        }
    }
    store.set(OPEN);
    nothing_is_leaked(&store, "s", "after all").await;
}
