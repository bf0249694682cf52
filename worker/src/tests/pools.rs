use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use celeriac_broker::{Broker, Outcome, TaskError};

use super::{LIMITED, PLAIN, Scripted, State, builder, harness, state};
use crate::{Error, Handler, Pool, Worker, WorkerBuilder, harness::Harness};

#[tokio::test(start_paused = true)]
async fn no_more_tasks_run_at_once_than_there_are_slots() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut harness = harness({
        let most = most.clone();
        move |_, _| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        }
    })
    .slots(3)
    .workers(2);
    for n in 0..20 {
        harness.publish(Scripted::<PLAIN> { n }).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!(report.count(Outcome::Succeeded), 20);
    assert_eq!(most.load(Ordering::SeqCst), 6, "two workers of three slots, all of them used");
}

#[tokio::test(start_paused = true)]
async fn queues_share_slots_by_weight_and_no_slot_idles_beside_a_backlog() {
    let state = state(|ctx, n| async move {
        ctx.state().note(n);
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let log = state.log.clone();
    let mut harness = Harness::new(move || {
        let state = state.clone();
        Worker::builder()
            .state(move || async move { Ok::<_, TaskError>(state) })
            .register::<Scripted<PLAIN>>()
            .shared_pool([("celeriac", 3), ("other", 1)], Pool::new(1))
    });
    for _ in 0..40 {
        harness.message(Scripted::<PLAIN> { n: 3 }).publish().await.unwrap();
        harness.message(Scripted::<PLAIN> { n: 1 }).queue("other").publish().await.unwrap();
    }
    harness.run_until_idle().await.unwrap();
    let log = log.lock().unwrap();
    let heavy = log.iter().take(40).filter(|n| **n == 3).count();
    assert!((28..=32).contains(&heavy), "{heavy} of the first 40 came from the queue of weight 3");
    assert_eq!(log.len(), 80, "the slot went on with the other queue when one was empty");
}

fn refused<S: Send + Sync + 'static>(builder: WorkerBuilder<S>) -> Error {
    builder.broker(Broker::memory()).build().expect_err("this configuration is refused")
}

#[test]
fn a_configuration_that_cannot_work_is_refused_before_it_runs() {
    let state = state(|_, _| async { Ok(()) });
    let twice = refused(builder(&state).register::<Scripted<PLAIN>>());
    assert!(matches!(twice, Error::DuplicateTask { .. }), "{twice}");
    let nowhere = refused(Worker::builder().register::<Unit>().pool("elsewhere", Pool::new(1)));
    assert!(nowhere.to_string().contains(".pool(\"celeriac\", Pool::new(n))"), "{nowhere}");
    let nothing = refused(builder(&state).pool("idle", Pool::new(0)));
    assert!(nothing.to_string().contains("at least 1"), "{nothing}");
    let doubled = refused(builder(&state).pool("celeriac", Pool::new(1)));
    assert!(doubled.to_string().contains("in two pools"), "{doubled}");
    let never = refused(builder(&state).max_deliveries(0));
    assert!(never.to_string().contains("max_deliveries"), "{never}");
}

/// A task that needs no state.
#[derive(serde::Serialize, serde::Deserialize)]
struct Unit {}

impl celeriac_broker::Task for Unit {
    const NAME: &'static str = "unit";
    const ARGS: &'static [celeriac_broker::Arg] = &[];
    type Output = ();
}

impl<S: Send + Sync + 'static> Handler<S> for Unit {
    async fn run(self, _: crate::Context<S>) -> Result<(), TaskError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_blocks_its_thread_is_settled_as_stuck_and_stops_no_other_pool() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let state: State = state(move |ctx, n| {
        let blocked = blocked.clone();
        async move {
            if n == 0 && ctx.attempt() == 1 {
                let _ = blocked.lock().unwrap().recv();
            }
            ctx.state().note(n);
            Ok(())
        }
    });
    let log = state.log.clone();
    let broker = Broker::memory();
    for (n, queue) in [(0, "celeriac"), (1, "other")] {
        let mut message = broker.message(Scripted::<LIMITED> { n }).queue(queue).build().unwrap();
        message.1.headers.set(
            celeriac_broker::message::names::TIMELIMIT,
            celeriac_broker::HeaderValue::List(vec![0.1.into(), celeriac_broker::HeaderValue::Null]),
        );
        broker.publish_message(message.0, message.1).await.unwrap();
    }
    let worker = builder(&state).broker(broker.clone()).pool("other", Pool::new(1)).shutdown_timeout(Duration::ZERO);
    let done = async move {
        while log.lock().unwrap().len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let run = tokio::spawn(worker.build().unwrap().run_until(done));
    let report = tokio::time::timeout(Duration::from_secs(30), run).await.unwrap().unwrap().unwrap();
    assert_eq!(report.tally.of(Outcome::Retried), 1, "the blocked run was retried in its stead: {report}");
    assert_eq!(report.tally.of(Outcome::Succeeded), 2, "{report}");
    assert_eq!(report.stuck.len(), 1, "{report}");
    drop(release);
}
