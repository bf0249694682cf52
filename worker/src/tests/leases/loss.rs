use std::{sync::Arc, time::Duration};

use celeriac_broker::{Broker, Outcome, Reason, TaskError};
use celeriac_mutex::{Lease, LeaseLost, Locks};
use tokio::sync::Notify;

use super::{
    super::{State, builder, state},
    TTL, harness, harness_on, locked, mutex,
};
use crate::{CancelReason, Context, leases::Hold};

struct DropNote(State);

impl Drop for DropNote {
    fn drop(&mut self) {
        self.0.note(7);
    }
}

async fn take_away(locks: &Locks, lease: &Lease) {
    assert!(locks.force_release(lease.key(), lease.id()).await.unwrap());
}

fn held(ctx: &Context<State>) -> &Lease {
    ctx.lease("m").expect("it is held")
}

// Leases end by the machine's clock, so time is not paused here.
#[tokio::test]
async fn a_run_whose_lease_is_lost_is_dropped_and_retried_with_that_reason() {
    let locks = Locks::from_url("memory://").unwrap();
    let mut harness = harness_on(locks.clone(), move |ctx, _| {
        let locks = locks.clone();
        async move {
            if ctx.attempt() == 1 {
                let _note = DropNote(ctx.state().clone());
                take_away(&locks, held(&ctx)).await;
                std::future::pending::<()>().await;
            }
            assert_eq!(*ctx.state().log.lock().unwrap(), [7], "the first run was dropped");
            Ok(())
        }
    });
    let sent = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let run = tokio::time::timeout(Duration::from_secs(20), harness.run_until_idle());
    let report = run.await.expect("the run ends when its lease is lost").unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
    let first = report.of(&sent.id).next().unwrap();
    assert_eq!(first.reason, Reason::LeaseLost);
    assert!(first.error.as_deref().unwrap().contains("mutex:m:a"), "{first:?}");
}

#[tokio::test]
async fn what_was_done_when_the_lease_was_lost_is_not_reported_as_done() {
    let locks = Locks::from_url("memory://").unwrap();
    let mut harness = harness_on(locks.clone(), move |ctx, _| {
        let locks = locks.clone();
        async move {
            if ctx.attempt() == 1 {
                take_away(&locks, held(&ctx)).await;
                held(&ctx).lost().cancelled().await;
            }
            Ok(())
        }
    });
    let sent = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
    assert_eq!(report.of(&sent.id).next().unwrap().reason, Reason::LeaseLost);
}

/// Runs a task whose lease is revoked while it runs, and that then returns `answer`.
async fn revoked(answer: fn() -> Result<(), TaskError>) -> Vec<(Outcome, Reason)> {
    let locks = Locks::from_url("memory://").unwrap();
    let mut harness = harness_on(locks.clone(), move |ctx, _| {
        let locks = locks.clone();
        async move {
            if ctx.request().deferrals > 0 {
                assert_eq!(ctx.attempt(), 1, "no attempt was counted");
                return Ok(());
            }
            let lease = held(&ctx);
            assert!(locks.revoke(lease.key(), lease.id()).await.unwrap());
            assert_eq!(ctx.cancelled().await, CancelReason::Revoked);
            assert!(locks.mutex("m").key("a").try_lock().await.unwrap().is_none(), "it is held until it returns");
            answer()
        }
    });
    let sent = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let run = tokio::time::timeout(Duration::from_secs(20), harness.run_until_idle());
    let report = run.await.expect("the run is asked to stop").unwrap();
    report.of(&sent.id).map(|record| (record.outcome, record.reason)).collect()
}

#[tokio::test]
async fn a_run_whose_lease_is_revoked_is_asked_to_stop_and_put_off_without_an_attempt() {
    let outcomes = revoked(|| Err(TaskError::new("as you wish"))).await;
    assert_eq!(outcomes, [(Outcome::Deferred, Reason::LeaseRevoked), (Outcome::Succeeded, Reason::Done)]);
}

#[tokio::test]
async fn a_run_whose_lease_is_revoked_may_finish() {
    assert_eq!(revoked(|| Ok(())).await, [(Outcome::Succeeded, Reason::Done)]);
}

#[tokio::test]
async fn a_lease_is_not_renewed_past_the_hard_limit_of_its_run() {
    let locks = Locks::from_url("memory://").unwrap();
    let guard = locks.mutex("m").key("a").ttl(TTL).lock().await.unwrap();
    let lease = crate::leases::HeldLease { labels: Vec::new(), address: "mutex:m:a".to_owned(), lease: guard.into() };
    let hold = Hold::new(None, vec![lease], crate::leases::Kept::default(), Some(Duration::from_millis(100)));
    // Its handler blocks a thread, so nobody drops the lease.
    let lease = hold.lease("mutex:m:a").unwrap();
    tokio::time::timeout(Duration::from_secs(10), lease.lost().cancelled()).await.unwrap();
    assert_eq!(lease.lost_reason(), Some(LeaseLost::Overlong));
    let other = locks.mutex("m").key("a").lock_timeout(Duration::from_secs(10)).await.unwrap();
    assert!(other.is_some(), "another has it");
}

#[tokio::test(start_paused = true)]
async fn a_context_that_outlives_its_run_holds_nothing() {
    let (mut harness, locks) = harness(|ctx, _| async move {
        let kept = ctx.clone();
        // A program may do so: the future goes on after the run.
        tokio::spawn(async move {
            let lease = held(&kept);
            lease.lost().cancelled().await;
            assert_eq!(lease.lost_reason(), Some(LeaseLost::Released));
            kept.state().note(1);
            std::future::pending::<()>().await;
        });
        ctx.state().note(0);
        Ok(())
    });
    let sent = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    harness.run_until_idle().await.unwrap().assert_outcomes(&sent.id, &[Outcome::Succeeded]);
    assert!(locks.mutex("m").key("a").try_lock().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stops_gives_its_leases_back_at_once() {
    let locks = Locks::from_url("memory://").unwrap();
    let started = Arc::new(Notify::new());
    let state = state({
        let started = started.clone();
        move |_, _| {
            let started = started.clone();
            async move {
                started.notify_one();
                std::future::pending().await
            }
        }
    });
    let broker = Broker::memory();
    broker.publish(locked(1, [mutex("a")])).await.unwrap();
    let worker = builder(&state).broker(broker).locks(locks.clone()).on_callers_runtime();
    let worker = worker.shutdown_timeout(Duration::ZERO).build().unwrap();
    let report = worker.run_until(async move { started.notified().await }).await.unwrap();
    assert_eq!(report.given_back, 1, "{report}");
    assert!(locks.mutex("m").key("a").try_lock().await.unwrap().is_some());
}

/// What a handler does with a lease that it holds for a part of its run, once that is lost.
enum Then {
    Waits,
    LetsGo,
    Releases,
}

/// Runs a task whose first attempt loses the lease of a part.
async fn part_lost(then: fn() -> Then) {
    let locks = Locks::from_url("memory://").unwrap();
    let mut harness = harness_on(locks.clone(), move |ctx, _| {
        let locks = locks.clone();
        async move {
            if ctx.attempt() == 1 {
                let part = ctx.mutex("part", "a").ttl(TTL).lock().await?;
                take_away(&locks, &part).await;
                let then = then();
                if matches!(then, Then::Waits) {
                    std::future::pending::<()>().await;
                }
                // It awaits nothing that would let the worker drop it.
                while part.lost_reason().is_none() {
                    std::thread::yield_now();
                }
                match then {
                    Then::Releases => drop(part.release().await?),
                    _ => drop(part),
                }
            }
            Ok(())
        }
    });
    let sent = harness.publish(locked(1, [])).await.unwrap();
    let run = tokio::time::timeout(Duration::from_secs(20), harness.run_until_idle());
    let report = run.await.expect("the run ends when a lease is lost").unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
    let first = report.of(&sent.id).next().unwrap();
    assert_eq!(first.reason, Reason::LeaseLost);
    assert!(first.error.as_deref().unwrap().contains("mutex:part:a"), "{first:?}");
}

#[tokio::test]
async fn a_run_that_loses_the_lease_of_a_part_is_dropped_and_retried_with_that_reason() {
    part_lost(|| Then::Waits).await;
}

#[tokio::test]
async fn a_part_that_was_done_without_its_lease_is_not_reported_as_done() {
    part_lost(|| Then::LetsGo).await;
    part_lost(|| Then::Releases).await;
}

#[tokio::test]
async fn a_run_goes_on_after_it_has_let_go_of_a_part() {
    let locks = Locks::from_url("memory://").unwrap();
    let mut harness = harness_on(locks.clone(), move |ctx, _| {
        let locks = locks.clone();
        async move {
            ctx.mutex("part", "a").lock().await?.release().await?;
            drop(ctx.mutex("part", "b").lock().await?);
            // Another has both: they have ended for the run.
            for part in ["a", "b"] {
                drop(locks.mutex("part").key(part).lock().await);
            }
            Ok(())
        }
    });
    let sent = harness.publish(locked(1, [])).await.unwrap();
    harness.run_until_idle().await.unwrap().assert_outcomes(&sent.id, &[Outcome::Succeeded]);
}

#[tokio::test]
async fn a_run_whose_part_is_revoked_is_asked_to_stop_and_put_off_without_an_attempt() {
    let locks = Locks::from_url("memory://").unwrap();
    let mut harness = harness_on(locks.clone(), move |ctx, _| {
        let locks = locks.clone();
        async move {
            if ctx.request().deferrals == 0 {
                let part = ctx.mutex("part", "a").lock().await?;
                assert!(locks.revoke(part.key(), part.id()).await.unwrap());
                assert_eq!(ctx.cancelled().await, CancelReason::Revoked);
                part.ensure_valid().expect_err("it is asked back");
                return Err(TaskError::new("as you wish"));
            }
            assert_eq!(ctx.attempt(), 1, "no attempt was counted");
            Ok(())
        }
    });
    let sent = harness.publish(locked(1, [])).await.unwrap();
    let run = tokio::time::timeout(Duration::from_secs(20), harness.run_until_idle());
    let report = run.await.expect("the run is asked to stop").unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Deferred, Outcome::Succeeded]);
    assert_eq!(report.of(&sent.id).next().unwrap().reason, Reason::LeaseRevoked);
}
