use std::time::Duration;

use celeriac_broker::{Arg, DeclaredLock, LockSpec, Outcome, Reason, Task, TaskError};
use celeriac_mutex::Locks;
use serde::{Deserialize, Serialize};

use super::super::{State, builder, state};
use crate::{Check, Context, Handler, harness::Harness};

/// A task with a mutex and a check.
#[derive(Serialize, Deserialize)]
pub(in crate::tests) struct Checked {
    say: String,
}

impl Task for Checked {
    const NAME: &'static str = "checked";
    const ARGS: &'static [Arg] = &[Arg::required("say")];
    const LOCKS: &'static [DeclaredLock] = &[DeclaredLock::mutex("checked")];
    type Output = ();

    fn locks(&self) -> Vec<LockSpec> {
        vec![LockSpec::mutex("checked", [])]
    }
}

impl Handler<State> for Checked {
    async fn check(&self, ctx: &Context<State>) -> Result<Check, TaskError> {
        assert!(ctx.lease("checked").is_ok(), "it is asked under its lock");
        match self.say.as_str() {
            "defer" if ctx.request().deferrals < 3 => Ok(Check::Defer(Duration::from_secs(90))),
            "skip" => Ok(Check::skip("the report is there")),
            "fail" if ctx.attempt() == 1 => Err(TaskError::new("the disk is gone")),
            _ => Ok(Check::Run),
        }
    }

    async fn run(self, ctx: Context<State>) -> Result<(), TaskError> {
        ctx.state().note(ctx.attempt().into());
        Ok(())
    }
}

/// What became of a task whose check says so, and the attempts that ran.
async fn outcomes(say: &str) -> (Vec<(Outcome, Reason, Option<String>)>, Vec<u64>) {
    let (state, locks) = (state(|_, _| async { Ok(()) }), Locks::from_url("memory://").unwrap());
    let mut harness = Harness::new({
        let (state, locks) = (state.clone(), locks.clone());
        move || builder(&state).locks(locks.clone())
    });
    let sent = harness.publish(Checked { say: say.to_owned() }).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    assert!(locks.mutex("checked").try_lock().await.unwrap().is_some(), "the lock is free again");
    let records = report.of(&sent.id).map(|record| (record.outcome, record.reason, record.error.clone())).collect();
    let log = state.log.lock().unwrap().clone();
    (records, log)
}

#[tokio::test(start_paused = true)]
async fn a_check_that_says_run_lets_the_task_run() {
    let (records, runs) = outcomes("run").await;
    assert_eq!((records, runs), (vec![(Outcome::Succeeded, Reason::Done, None)], vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_defers_counts_no_attempt() {
    let (records, runs) = outcomes("defer").await;
    assert!(records[..3].iter().all(|record| *record == (Outcome::Deferred, Reason::Check, None)), "{records:?}");
    assert_eq!((records.len(), runs), (4, vec![1]));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_skips_ends_the_task_and_says_why() {
    let (records, runs) = outcomes("skip").await;
    let note = Some("the report is there".to_owned());
    assert_eq!((records, runs), (vec![(Outcome::Skipped, Reason::Check, note)], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_is_a_failed_attempt() {
    let (records, runs) = outcomes("fail").await;
    assert_eq!(records[0], (Outcome::Retried, Reason::Error, Some("the disk is gone".to_owned())));
    assert_eq!((records.len(), runs), (2, vec![2]));
}
