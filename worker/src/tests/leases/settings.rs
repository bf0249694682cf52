use std::sync::Arc;

use celeriac_broker::{Arg, Broker, DeclaredLock, LockSpec, Outcome, Reason, Task, TaskError, memory::MemoryTransport};
use serde::{Deserialize, Serialize};

use super::{
    super::{State, builder, state},
    Crowd, locked, mutex,
};
use crate::{Context, Error, Handler, Pool, Worker, harness::Harness};

/// A broker that keeps no leases.
fn elsewhere() -> Broker {
    Broker::builder().build_on(Arc::new(MemoryTransport::new()), "amqp://rabbit")
}

/// A task with a semaphore of another number of leases than `Locked`'s.
#[derive(Serialize, Deserialize)]
struct Other {}

impl Task for Other {
    const NAME: &'static str = "other";
    const ARGS: &'static [Arg] = &[];
    const LOCKS: &'static [DeclaredLock] = &[DeclaredLock::semaphore("s", 5)];
    type Output = ();
}

impl Handler<State> for Other {
    async fn run(self, _: Context<State>) -> Result<(), TaskError> {
        Ok(())
    }
}

/// A task that was written by hand and declares nothing.
#[derive(Serialize, Deserialize)]
struct Undeclared {}

impl Task for Undeclared {
    const NAME: &'static str = "undeclared";
    const ARGS: &'static [Arg] = &[];
    type Output = ();

    fn locks(&self) -> Vec<LockSpec> {
        vec![LockSpec::mutex("undeclared", [])]
    }
}

impl Handler<()> for Undeclared {
    async fn run(self, _: Context<()>) -> Result<(), TaskError> {
        Ok(())
    }
}

#[test]
fn a_worker_whose_tasks_lock_does_not_start_without_a_place_for_leases_and_says_which_variable_names_one() {
    let state = state(|_, _| async { Ok(()) });
    let error = builder(&state).broker(elsewhere()).build().unwrap_err();
    assert!(matches!(&error, Error::NoLocks { .. }), "{error:?}");
    assert!(error.to_string().contains("CELERIAC_LOCKS_URL"), "{error}");
    assert!(builder(&state).broker(elsewhere()).locks_url("memory://").build().is_ok());
    assert!(builder(&state).broker(Broker::memory()).build().is_ok());
    let error = builder(&state).broker(elsewhere()).locks_url("ftp://x").build().unwrap_err();
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
    // Its tasks are another worker's.
    assert!(builder(&state).broker(elsewhere()).only_queues(["reports"]).build().is_ok());
}

#[test]
fn one_semaphore_has_one_number_of_leases_in_a_worker() {
    let state = state(|_, _| async { Ok(()) });
    let error = builder(&state).register::<Other>().broker(Broker::memory()).build().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("semaphore s") && text.contains("locked") && text.contains("other"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_must_lock_and_did_not_say_so_is_buried_where_there_are_no_locks() {
    let broker = elsewhere();
    broker.publish(Undeclared {}).await.unwrap();
    let worker = Worker::builder().register::<Undeclared>().pool("celeriac", Pool::new(1)).broker(broker.clone());
    let (records, mut settled) = tokio::sync::mpsc::unbounded_channel();
    let worker = worker.on_callers_runtime().record(records).build().unwrap();
    worker.run_until_idle().await.unwrap();
    let record = settled.recv().await.unwrap();
    assert_eq!((record.outcome, record.reason), (Outcome::Rejected, Reason::NoLocks));
}

#[tokio::test(start_paused = true)]
async fn workers_of_one_broker_in_memory_share_its_locks() {
    let crowd = Crowd::default();
    let state = state({
        let crowd = crowd.clone();
        move |_, _| {
            let crowd = crowd.clone();
            async move {
                crowd.stay(std::time::Duration::from_secs(1)).await;
                Ok(())
            }
        }
    });
    let mut harness = Harness::new(move || builder(&state)).workers(3);
    for n in 0..6 {
        harness.publish(locked(n, [mutex("a")])).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!((report.count(Outcome::Succeeded), crowd.peak()), (6, 1));
}
