use std::time::Duration;

use celeriac_broker::{Outcome, Reason, RetryPolicy, TaskError};

use super::{EARLY, PLAIN, Scripted, harness};

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_retried_until_the_policy_is_spent_and_then_buried() {
    let mut harness = harness(|_, _| async { Err(TaskError::new("down")) });
    let sent = harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();

    let retried = RetryPolicy::DEFAULT.max_attempts as usize - 1;
    let mut expected = vec![Outcome::Retried; retried];
    expected.push(Outcome::Failed);
    report.assert_outcomes(&sent.id, &expected);
    for (attempt, delay) in (1..).zip(report.delays(&sent.id)) {
        assert!(delay <= RetryPolicy::DEFAULT.backoff.after(attempt), "attempt {attempt} waited {delay:?}");
    }
    let dead = harness.broker().queue("celeriac.dead").unwrap();
    let info = harness.broker().transport().queue(&dead.name).await.unwrap().unwrap();
    assert_eq!(info.ready, Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_attempt_number_reaches_the_handler_and_the_last_one_knows_it() {
    let mut harness = harness(|ctx, _| async move {
        ctx.state().note(ctx.attempt().into());
        assert_eq!(ctx.is_last_attempt(), ctx.attempt() == RetryPolicy::DEFAULT.max_attempts);
        if ctx.attempt() < 3 { Err(TaskError::new("not yet")) } else { Ok(()) }
    });
    let sent = harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Retried, Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_buried_at_once() {
    let mut harness = harness(|_, _| async { Err(TaskError::permanent(TaskError::new("no such account"))) });
    let sent = harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Failed]);
    assert_eq!(report.of(&sent.id).next().unwrap().reason, Reason::Permanent);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_names_its_delay_is_retried_after_exactly_that() {
    let mut harness = harness(|ctx, _| async move {
        match ctx.attempt() {
            1 => Err(TaskError::retry_after(TaskError::new("429"), Duration::from_secs(90))),
            _ => Ok(()),
        }
    });
    let sent = harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!(report.delays(&sent.id), [Duration::from_secs(90)]);
    assert!(report.settled_after(&sent.id).unwrap() >= Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_attempt_like_any_other() {
    let mut harness = harness(|ctx, _| async move {
        assert!(ctx.attempt() > 1, "the first one panics");
        Ok(())
    });
    let sent = harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
    let first = report.of(&sent.id).next().unwrap();
    assert_eq!(first.reason, Reason::Panic);
    assert!(first.error.as_deref().unwrap().contains("the first one panics"));
}

#[tokio::test(start_paused = true)]
async fn a_task_acknowledged_early_is_still_retried() {
    let mut harness = harness(|ctx, _| async move {
        let info = ctx.broker().transport().queue(ctx.queue()).await?.unwrap();
        assert_eq!(info.running, Some(0), "it was acknowledged before it ran");
        if ctx.attempt() == 1 { Err(TaskError::new("down")) } else { Ok(()) }
    });
    let sent = harness.publish(Scripted::<EARLY> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_failed_together_do_not_come_back_together() {
    let mut harness =
        harness(|ctx, _| async move { if ctx.attempt() == 1 { Err(TaskError::new("down")) } else { Ok(()) } })
            .slots(200);
    for n in 0..200 {
        harness.publish(Scripted::<PLAIN> { n }).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    let mut delays: Vec<Duration> = report.records.iter().filter_map(|record| record.delay).collect();
    delays.sort();
    delays.dedup();
    assert_eq!(delays.len(), 200, "every delay is its own");
    let tenth = delays.iter().filter(|delay| **delay < Duration::from_millis(100)).count();
    assert!((3..=50).contains(&tenth), "{tenth} of 200 came back in the first tenth of the second");
}
