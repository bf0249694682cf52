use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use celeriac_broker::{
    Jitter, Outcome, RetryPolicy, TaskError, TaskOptions,
    task::{Event, Hooks},
};

use super::{HOOKED, PLAIN, Scripted, State, builder, harness, state};
use crate::{Context, Failure, Middleware, harness::Harness};

pub(super) const OPTIONS: TaskOptions = TaskOptions::new().hooks(&PublishOnExhaustion).retry(RetryPolicy::checked(
    2,
    Duration::from_secs(1),
    Duration::from_secs(1),
    Jitter::None,
));

/// What a family does when it gives up: it publishes a task of another kind.
struct PublishOnExhaustion;

#[async_trait]
impl Hooks for PublishOnExhaustion {
    async fn on_exhausted(&self, event: Event<'_>) {
        let n = event.arguments["n"].as_u64().unwrap() + 1000;
        event.broker.publish(Scripted::<PLAIN> { n }).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_task_reaches_its_familys_hook_with_its_arguments() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let mut harness = harness({
        let ran = ran.clone();
        move |_, n| {
            let ran = ran.clone();
            async move {
                ran.lock().unwrap().push(n);
                if n < 1000 { Err(TaskError::new("down")) } else { Ok(()) }
            }
        }
    });
    harness.publish(Scripted::<HOOKED> { n: 5 }).await.unwrap();
    harness.run_until_idle().await.unwrap();
    assert_eq!(*ran.lock().unwrap(), [5, 5, 1005]);
}

/// Writes down which hooks ran.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, entry: impl Into<String>) {
        self.0.lock().unwrap().push(entry.into());
    }
}

#[async_trait]
impl Middleware<State> for Diary {
    async fn before(&self, ctx: &Context<State>) -> Result<(), TaskError> {
        self.write(format!("before {}", ctx.attempt()));
        Ok(())
    }
    async fn after(&self, _: &Context<State>, outcome: Outcome, _: Duration) {
        self.write(format!("after {outcome}"));
    }
    async fn on_retry(&self, _: &Context<State>, failure: &Failure) {
        self.write(format!("retry {:?}", failure.retry_in.unwrap()));
    }
    async fn on_failure(&self, _: &Context<State>, failure: &Failure) {
        self.write(format!("failure {}", failure.error));
    }
    async fn on_exhausted(&self, _: &Context<State>, failure: &Failure) {
        self.write(format!("exhausted {}", failure.reason));
        panic!("a hook that panics keeps nothing from being settled");
    }
}

#[tokio::test(start_paused = true)]
async fn middleware_sees_every_step_of_every_attempt() {
    let diary = Diary::default();
    let mut harness = Harness::new({
        let (diary, state) = (diary.clone(), state(|_, _| async { Err(TaskError::new("down")) }));
        move || builder(&state).middleware(diary.clone())
    });
    let sent = harness.publish(Scripted::<HOOKED> { n: 2000 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Failed]);
    let diary = diary.0.lock().unwrap();
    let of_the_task: Vec<_> = diary.iter().take(8).map(String::as_str).collect();
    assert_eq!(
        of_the_task,
        [
            "before 1",
            "failure down",
            "retry 1s",
            "after retried",
            "before 2",
            "failure down",
            "exhausted error",
            "after failed"
        ]
    );
}

/// Refuses every run.
struct Refuse;

#[async_trait]
impl Middleware<State> for Refuse {
    async fn before(&self, _: &Context<State>) -> Result<(), TaskError> {
        Err(TaskError::permanent(TaskError::new("closed today")))
    }
}

#[tokio::test(start_paused = true)]
async fn middleware_can_fail_an_attempt_before_its_handler_runs() {
    let state = state(|_, _| async { unreachable!("the handler does not run") });
    let mut harness = Harness::new(move || builder(&state).middleware(Refuse));
    let sent = harness.publish(Scripted::<PLAIN> { n: 1 }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&sent.id, &[Outcome::Failed]);
    assert_eq!(report.of(&sent.id).next().unwrap().error.as_deref(), Some("closed today"));
}
