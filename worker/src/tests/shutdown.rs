use std::{sync::Arc, time::Duration};

use celeriac_broker::{Broker, Outcome};
use tokio::sync::Notify;

use super::{PLAIN, Scripted, State, builder, state};
use crate::{CancelReason, DrainReport};

/// Publishes `count` tasks, runs them until `stop` resolves, and returns the report and the broker.
async fn run(state: &State, count: u64, stop: Arc<Notify>, timeout: Duration) -> (DrainReport, Broker) {
    let broker = Broker::memory();
    for n in 0..count {
        broker.publish(Scripted::<PLAIN> { n }).await.unwrap();
    }
    let worker = builder(state).broker(broker.clone()).on_callers_runtime().shutdown_timeout(timeout).build().unwrap();
    (worker.run_until(async move { stop.notified().await }).await.unwrap(), broker)
}

async fn ready(broker: &Broker) -> u64 {
    let queue = broker.queue("celeriac").unwrap();
    broker.transport().queue(&queue.name).await.unwrap().unwrap().ready.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_runs_may_finish_and_what_waits_stays() {
    let stop = Arc::new(Notify::new());
    let state = state({
        let stop = stop.clone();
        move |_, _| {
            let stop = stop.clone();
            async move {
                stop.notify_one();
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(())
            }
        }
    });
    let (report, broker) = run(&state, 20, stop, Duration::from_secs(25)).await;
    assert_eq!((report.finished, report.given_back), (4, 0), "{report}");
    assert_eq!(ready(&broker).await, 16);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_given_back_and_no_attempt_is_counted() {
    let stop = Arc::new(Notify::new());
    let state = state({
        let stop = stop.clone();
        move |ctx, n| {
            let stop = stop.clone();
            async move {
                assert_eq!(ctx.attempt(), 1);
                ctx.state().note(n);
                stop.notify_one();
                std::future::pending().await
            }
        }
    });
    let (report, broker) = run(&state, 4, stop.clone(), Duration::from_secs(25)).await;
    assert_eq!((report.finished, report.given_back), (0, 4), "{report}");
    assert_eq!(report.took, Duration::from_secs(25));
    assert_eq!(ready(&broker).await, 4);

    // Five deploys in a row bury nothing.
    for _ in 0..5 {
        let worker = builder(&state).broker(broker.clone()).on_callers_runtime().shutdown_timeout(Duration::ZERO);
        // Several runs asked to stop; one request is left over.
        let _ = tokio::time::timeout(Duration::ZERO, stop.notified()).await;
        let stop = stop.clone();
        let report = worker.build().unwrap().run_until(async move { stop.notified().await }).await.unwrap();
        assert!(report.given_back > 0, "{report}");
        assert_eq!(report.tally.of(Outcome::Rejected), 0, "{report}");
        assert_eq!(ready(&broker).await, 4);
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_are_told_in_the_last_second_and_an_error_then_is_no_failed_attempt() {
    let stop = Arc::new(Notify::new());
    let state = state({
        let stop = stop.clone();
        move |ctx, _| {
            let stop = stop.clone();
            async move {
                stop.notify_one();
                assert_eq!(ctx.cancelled().await, CancelReason::Shutdown);
                Err(celeriac_broker::TaskError::new("saved what I had"))
            }
        }
    });
    let (report, broker) = run(&state, 1, stop, Duration::from_secs(10)).await;
    assert_eq!(report.took, Duration::from_secs(9), "{report}");
    assert_eq!((report.given_back, report.tally.of(Outcome::Retried)), (1, 0), "{report}");
    assert_eq!(ready(&broker).await, 1);
}
