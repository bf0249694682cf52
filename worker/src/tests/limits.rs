use std::time::Duration;

use celeriac_broker::{Jitter, Message, Outcome, Reason, RetryPolicy, TaskError, TaskOptions, message::names};

use super::{LIMITED, PLAIN, Scripted, harness};
use crate::CancelReason;

const SOFT: Duration = Duration::from_secs(20);
const HARD: Duration = Duration::from_secs(30);

pub(super) const OPTIONS: TaskOptions = TaskOptions::new()
    .soft_time_limit(SOFT)
    .time_limit(HARD)
    .deadline(Duration::from_secs(100))
    .retry(RetryPolicy::checked(1000, Duration::from_secs(1), Duration::from_secs(1), Jitter::None));

#[tokio::test(start_paused = true)]
async fn the_soft_limit_asks_and_the_handler_may_still_succeed() {
    let mut harness = harness(|ctx, _| async move {
        let started = tokio::time::Instant::now();
        assert_eq!(ctx.cancelled().await, CancelReason::SoftLimit);
        assert_eq!(started.elapsed(), SOFT);
        assert!(ctx.is_cancelled());
        Ok(())
    });
    let sent = harness.publish(Scripted::<LIMITED> { n: 1 }).await.unwrap();
    harness.run_until_idle().await.unwrap().assert_outcomes(&sent.id, &[Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn what_stops_at_its_soft_limit_fails_with_that_reason() {
    let mut harness = harness(|ctx, _| async move {
        match ctx.attempt() {
            1 => Ok(ctx.until_soft_limit(std::future::pending::<()>()).await?),
            _ => Ok(()),
        }
    });
    let sent = harness.publish(Scripted::<LIMITED> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
    assert_eq!(report.of(&sent.id).next().unwrap().reason, Reason::SoftLimit);
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_run_leaves_behind_sees_that_it_was_stopped() {
    let (leave, left) = std::sync::mpsc::channel();
    let mut harness = harness(move |ctx, _| {
        let leave = leave.clone();
        async move {
            if ctx.attempt() == 1 {
                leave.send(ctx.clone()).unwrap();
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    });
    harness.publish(Scripted::<LIMITED> { n: 1 }).await.unwrap();
    harness.run_until_idle().await.unwrap();
    assert_eq!(left.recv().unwrap().cancelled().await, CancelReason::Stopped);
}

#[tokio::test(start_paused = true)]
async fn the_hard_limit_drops_the_future() {
    let mut harness = harness(|ctx, _| async move {
        let state = ctx.state().clone();
        if ctx.attempt() == 1 {
            let _dropped = DropNote(state);
            std::future::pending::<()>().await;
        }
        assert_eq!(*state_log(&ctx), [7], "the first run was dropped before the second began");
        Ok(())
    });
    let sent = harness.publish(Scripted::<LIMITED> { n: 7 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Succeeded]);
    let first = report.of(&sent.id).next().unwrap();
    assert_eq!(first.reason, Reason::HardLimit);
}

struct DropNote(super::State);

impl Drop for DropNote {
    fn drop(&mut self) {
        self.0.note(7);
    }
}

fn state_log(ctx: &crate::Context<super::State>) -> std::sync::MutexGuard<'_, Vec<u64>> {
    ctx.state().log.lock().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_messages_own_limits_win_over_the_tasks() {
    let mut harness = harness(|_, _| async { std::future::pending::<Result<(), TaskError>>().await });
    let (to, message) = harness.message(Scripted::<PLAIN> { n: 1 }).build().unwrap();
    let mut headers = message.headers.clone();
    headers.set(
        names::TIMELIMIT,
        celeriac_broker::HeaderValue::List(vec![3_i64.into(), celeriac_broker::HeaderValue::Null]),
    );
    let id = message.id();
    let message = Message::new(message.properties.clone(), headers, message.body.clone());
    harness.broker().publish_message(to, message).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    assert!(report.of(&id).all(|record| record.reason == Reason::HardLimit));
    assert!(report.of(&id).next().unwrap().error.as_deref().unwrap().contains("3s"));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_after_the_deadline() {
    let mut harness = harness(|_, _| async { Err(TaskError::new("down")) });
    let sent = harness.publish(Scripted::<LIMITED> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    let last = report.of(&sent.id).last().unwrap();
    assert_eq!((last.outcome, last.reason), (Outcome::Failed, Reason::Deadline));
    assert!(report.settled_after(&sent.id).unwrap() <= Duration::from_secs(100));
    assert!(report.of(&sent.id).count() > 50, "it was tried until its time was over");
}
