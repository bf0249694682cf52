use std::time::Duration;

use celeriac_broker::{Outcome, Reason, TaskError};

use super::{
    super::{PLAIN, Scripted},
    Crowd, harness, locked, mutex,
};

#[tokio::test(start_paused = true)]
async fn a_busy_lock_within_a_run_defers_the_task_and_its_place_is_kept() {
    let crowd = Crowd::default();
    let (mut harness, locks) = harness({
        let crowd = crowd.clone();
        move |ctx, n| {
            let crowd = crowd.clone();
            async move {
                assert_eq!(ctx.attempt(), 1);
                // Two leases, as `Locked` declares.
                let lease = ctx.semaphore("s", "eu").acquire().await?;
                assert_eq!(lease.key().to_string(), "semaphore:s:eu");
                crowd.stay(Duration::from_secs(n)).await;
                lease.release().await?;
                Ok(())
            }
        }
    });
    let mut sent = Vec::new();
    for n in 1..=4 {
        sent.push(harness.publish(Scripted::<PLAIN> { n }).await.unwrap());
    }
    let report = harness.run_until_idle().await.unwrap();
    for sent in sent {
        let records: Vec<_> = report.of(&sent.id).collect();
        let (last, before) = records.split_last().unwrap();
        assert_eq!(last.outcome, Outcome::Succeeded);
        assert!(before.iter().all(|record| (record.outcome, record.reason) == (Outcome::Deferred, Reason::Busy)));
    }
    assert_eq!(crowd.peak(), 2);
    assert!(report.count(Outcome::Deferred) >= 2, "two had to come back");
    let line = locks.inspect(&"semaphore:s:eu".parse().unwrap()).await.unwrap().unwrap();
    assert!(line.waiters.is_empty(), "each used its place: {line:?}");
}

#[tokio::test(start_paused = true)]
async fn asking_for_a_lock_that_the_run_holds_is_an_error_and_not_a_deadlock() {
    let (mut harness, _) = harness(|ctx, n| async move {
        if n == 1 {
            let _part = ctx.mutex("part", "a").lock().await?;
            ctx.mutex("part", "a").lock().await?.release().await?;
        } else {
            ctx.mutex("m", "a").lock().await?.release().await?;
        }
        Ok(())
    });
    let sent = [harness.publish(locked(1, [])).await.unwrap(), harness.publish(locked(2, [mutex("a")])).await.unwrap()];
    let report = harness.run_until_idle().await.unwrap();
    for sent in sent {
        report.assert_outcomes(&sent.id, &[Outcome::Failed]);
        let record = report.of(&sent.id).next().unwrap();
        assert_eq!(record.reason, Reason::Permanent);
        assert!(record.error.as_deref().unwrap().contains("already"), "{record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_can_be_held_again_when_it_was_released() {
    let (mut harness, _) = harness(|ctx, _| async move {
        for _ in 0..3 {
            ctx.mutex("part", ("a", 1)).lock().await?.release().await?;
        }
        let lease = ctx.semaphore("unknown", "x").acquire().await.map_err(|error| error.to_string());
        assert!(lease.unwrap_err().contains(".leases(n)"));
        ctx.semaphore("unknown", "x").leases(1).acquire().await?.release().await?;
        Ok(())
    });
    let sent = harness.publish(locked(1, [])).await.unwrap();
    harness.run_until_idle().await.unwrap().assert_outcomes(&sent.id, &[Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_put_its_task_off_without_an_attempt() {
    let (mut harness, _) = harness(|ctx, _| async move {
        assert_eq!(ctx.attempt(), 1);
        match ctx.request().deferrals {
            0 => Err(TaskError::defer(TaskError::new("it is raining"), Duration::from_secs(3600))),
            _ => Ok(()),
        }
    });
    let sent = harness.publish(locked(1, [])).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Deferred, Outcome::Succeeded]);
    assert_eq!(report.of(&sent.id).next().unwrap().reason, Reason::Postponed);
    assert_eq!(report.delays(&sent.id), [Duration::from_secs(3600)]);
}
