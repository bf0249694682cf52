use std::time::Duration;

use celeriac_broker::{Outcome, Reason};
use celeriac_mutex::Locks;

use super::{Crowd, harness, harness_on, locked, mutex, semaphore, somebody_waits};

const HOLD: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_task_whose_lock_is_busy_is_deferred_and_no_attempt_is_counted() {
    let crowd = Crowd::default();
    let (mut harness, _) = harness({
        let crowd = crowd.clone();
        move |ctx, _| {
            let crowd = crowd.clone();
            async move {
                assert_eq!(ctx.attempt(), 1);
                crowd.stay(HOLD).await;
                Ok(())
            }
        }
    });
    let first = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let second = harness.publish(locked(2, [mutex("a")])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&first.id, &[Outcome::Succeeded]);
    let outcomes = report.outcomes(&second.id);
    assert_eq!(outcomes.last(), Some(&Outcome::Succeeded));
    assert!(outcomes.len() > 1, "it came back at least once");
    for record in report.of(&second.id).take(outcomes.len() - 1) {
        assert_eq!((record.outcome, record.reason), (Outcome::Deferred, Reason::Busy));
    }
    assert_eq!(crowd.peak(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_semaphore_lets_in_as_many_as_it_has_leases() {
    let crowd = Crowd::default();
    let (harness, _) = harness({
        let crowd = crowd.clone();
        move |_, _| {
            let crowd = crowd.clone();
            async move {
                crowd.stay(HOLD).await;
                Ok(())
            }
        }
    });
    let mut harness = harness.workers(2).slots(8);
    for n in 0..12 {
        harness.publish(locked(n, [semaphore("a", 2)])).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!((report.count(Outcome::Succeeded), crowd.peak()), (12, 2));
}

// Time is not paused where a run waits in its slot: it is told of its turn by a thread of the locks' own.
#[tokio::test]
async fn a_task_that_waits_keeps_its_slot_and_is_not_deferred() {
    let (crowd, locks) = (Crowd::default(), Locks::from_url("memory://").unwrap());
    let mut harness = harness_on(locks.clone(), {
        let crowd = crowd.clone();
        move |_, n| {
            let (crowd, locks) = (crowd.clone(), locks.clone());
            async move {
                // The first one keeps the lock until the second one waits for it.
                let until = async {
                    if n == 1 {
                        somebody_waits(&locks, true).await;
                    }
                };
                crowd.stay_until(until).await;
                Ok(())
            }
        }
    });
    let sent = [
        harness.publish(locked(1, [mutex("a").busy("wait")])).await.unwrap(),
        harness.publish(locked(2, [mutex("a").busy("wait")])).await.unwrap(),
    ];
    let report = harness.run_until_idle().await.unwrap();
    for sent in sent {
        report.assert_outcomes(&sent.id, &[Outcome::Succeeded]);
    }
    assert_eq!(crowd.peak(), 1);
}

#[tokio::test]
async fn a_task_that_has_waited_long_enough_is_deferred() {
    let locks = Locks::from_url("memory://").unwrap();
    let store = locks.clone();
    let mut harness = harness_on(locks, move |_, n| {
        let store = store.clone();
        async move {
            // The first one keeps the lock until the second one has a place in line instead of a slot.
            if n == 1 {
                somebody_waits(&store, false).await;
            }
            Ok(())
        }
    });
    harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let second = harness.publish(locked(2, [mutex("a").busy("wait briefly")])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    let outcomes = report.outcomes(&second.id);
    assert_eq!((outcomes[0], outcomes.last()), (Outcome::Deferred, Some(&Outcome::Succeeded)));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_skips_is_done_with_and_the_record_says_who_holds_its_lock() {
    let (mut harness, _) = harness(|_, _| async {
        tokio::time::sleep(HOLD).await;
        Ok(())
    });
    let first = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let second = harness.publish(locked(2, [mutex("a").busy("skip")])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&second.id, &[Outcome::Skipped]);
    let record = report.of(&second.id).next().unwrap();
    assert_eq!(record.reason, Reason::Busy);
    let note = record.error.as_deref().unwrap();
    assert!(note.contains("mutex:m:a") && note.contains(&format!("locked {}", first.id)), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_on_a_busy_lock_is_retried_by_its_policy_and_buried_at_last() {
    let (mut harness, _) = harness(|_, n| async move {
        assert_eq!(n, 1, "the other one never runs");
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(())
    });
    harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let second = harness.publish(locked(2, [mutex("a").busy("fail")])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    let retried = Outcome::Retried;
    report.assert_outcomes(&second.id, &[retried, retried, retried, Outcome::Failed]);
    assert!(report.of(&second.id).all(|record| record.reason == Reason::Busy));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_name_several_locks_in_opposite_orders_all_run() {
    let crowd = Crowd::default();
    let (harness, _) = harness({
        let crowd = crowd.clone();
        move |_, n| {
            let crowd = crowd.clone();
            async move {
                crowd.stay(Duration::from_millis(n % 7)).await;
                Ok(())
            }
        }
    });
    let mut harness = harness.workers(2).slots(8);
    for n in 0..100 {
        let wants = if n % 2 == 0 { [mutex("a"), mutex("b")] } else { [mutex("b"), mutex("a")] };
        harness.publish(locked(n, wants)).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!((report.count(Outcome::Succeeded), crowd.peak()), (100, 1));
}

#[tokio::test]
async fn tasks_that_wait_for_several_locks_in_opposite_orders_never_wait_for_each_other() {
    let (harness, _) = harness(|_, _| async {
        tokio::task::yield_now().await;
        Ok(())
    });
    let mut harness = harness.workers(2).slots(8);
    for n in 0..60 {
        let [a, b] = ["a", "b"].map(|key| mutex(key).busy("wait"));
        harness.publish(locked(n, if n % 2 == 0 { [a, b] } else { [b, a] })).await.unwrap();
    }
    let run = tokio::time::timeout(Duration::from_secs(20), harness.run_until_idle());
    let report = run.await.expect("nobody waits for ever").unwrap();
    assert_eq!((report.count(Outcome::Succeeded), report.records.len()), (60, 60));
}

#[tokio::test(start_paused = true)]
async fn one_lock_that_is_named_twice_is_held_once() {
    let (mut harness, _) = harness(|_, _| async { Ok(()) });
    let sent = harness.publish(locked(1, [mutex("a"), mutex("a")])).await.unwrap();
    harness.run_until_idle().await.unwrap().assert_outcomes(&sent.id, &[Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_late_when_its_turn_comes_is_given_up() {
    let (mut harness, _) = harness(|_, _| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let second = harness.message(locked(2, [mutex("a")])).expires(Duration::from_secs(30)).publish().await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!(report.outcomes(&second.id).last(), Some(&Outcome::Expired));
}
