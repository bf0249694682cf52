use celeriac::{
    Broker,
    metrics::{Metrics, prometheus::Registry},
};

use super::stage::{Running, Scrape, assert_documented, builder, end_of, hold_for, memory_locks};

pub(super) struct Fixture {
    pub(super) broker: Broker,
    _folder: tempfile::TempDir,
}

pub(super) fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::new(&format!("sqlite://{}/tasks.db", folder.path().display())).unwrap();
    Fixture { broker, _folder: folder }
}

/// A worker, after it has done a little of everything.
pub(super) async fn busy(broker: &Broker) -> (Running, Scrape) {
    for how in ["well", "retried", "permanent"] {
        broker.publish(end_of(how)).await.unwrap();
    }
    broker.publish(hold_for(20)).await.unwrap();
    for task in ["who.knows", "who.else"] {
        broker.task_named(task, (), ()).queue("seen").publish().await.unwrap();
    }
    let running = Running::start(builder(broker.clone(), "seen").locks(memory_locks()));
    let dead = r#"celeriac_queue_depth{queue="seen",state="dead"}"#;
    let last = r#"celeriac_tasks_finished_total{outcome="succeeded",queue="seen",reason="done",task="seen.hold"}"#;
    let retried = r#"celeriac_tasks_finished_total{outcome="succeeded",queue="seen",reason="done",task="seen.end"}"#;
    let scrape = running
        .until(|scrape| {
            scrape.value(dead).is_some()
                && scrape.value("celeriac_broker_round_trip_seconds").is_some()
                && scrape.value(last) == Some(1.0)
                && scrape.value(retried) == Some(2.0)
                && scrape.value("celeriac_lock_hold_seconds_count{kind=\"mutex\",lock=\"door\"}") == Some(1.0)
        })
        .await;
    (running, scrape)
}

#[tokio::test]
async fn a_scrape_over_sqlite_has_every_metric_that_is_listed_and_no_other() {
    let fixture = fixture();
    let (running, scrape) = busy(&fixture.broker).await;
    assert_documented(&scrape, &[]);
    running.end().await;
}

#[tokio::test]
async fn what_became_of_each_task_is_counted_and_what_did_not_happen_is_0() {
    let fixture = fixture();
    let (running, scrape) = busy(&fixture.broker).await;
    let finished = |outcome: &str, reason: &str, task: &str| {
        format!(r#"celeriac_tasks_finished_total{{outcome="{outcome}",queue="seen",reason="{reason}",task="{task}"}}"#)
    };
    scrape.assert(&finished("succeeded", "done", "seen.end"), 2.0);
    scrape.assert(&finished("retried", "error", "seen.end"), 1.0);
    scrape.assert(&finished("retried", "panic", "seen.end"), 0.0);
    scrape.assert(&finished("failed", "permanent", "seen.end"), 1.0);
    scrape.assert(&finished("rejected", "unknown_task", "unregistered"), 2.0);
    scrape.assert(r#"celeriac_task_retries_total{queue="seen",task="seen.end"}"#, 1.0);
    scrape.assert(r#"celeriac_dead_lettered_total{queue="seen",reason="permanent"}"#, 1.0);
    scrape.assert(r#"celeriac_dead_lettered_total{queue="seen",reason="unknown_task"}"#, 2.0);
    scrape.assert(r#"celeriac_task_deferrals_total{queue="seen",reason="busy"}"#, 0.0);
    scrape.assert(r#"celeriac_task_duration_seconds_count{task="seen.end"}"#, 4.0);
    scrape.assert(r#"celeriac_task_queue_wait_seconds_count{queue="seen"}"#, 7.0);
    scrape.assert("celeriac_published_total", 6.0);
    scrape.assert("celeriac_publish_duration_seconds_count", 6.0);
    scrape.assert(r#"celeriac_publish_failures_total{reason="blocked"}"#, 0.0);
    scrape.assert(r#"celeriac_pool_slots{pool="seen"}"#, 4.0);
    scrape.assert(r#"celeriac_lock_wait_seconds_count{kind="semaphore",lock="seats"}"#, 1.0);
    scrape.assert(r#"celeriac_semaphore_limit{lock="seats"}"#, 3.0);
    assert!(!scrape.0.contains("who."), "a name from the wire is no label: {}", scrape.0);
    assert!(!scrape.0.contains("celeriac.reporter"), "{}", scrape.0);
    running.end().await;
}

#[tokio::test]
async fn a_worker_is_ready_once_it_consumes_and_not_when_it_stops() {
    let fixture = fixture();
    let running = Running::start(builder(fixture.broker.clone(), "seen").locks(memory_locks()));
    assert_eq!(running.probe("/readyz", 200).await, "consumers: ok\nbroker: ok\nlocks: ok\n");
    assert_eq!(running.get("/livez").await, (200, "event_loop: ok\n".into()));
    assert_eq!(running.get("/startupz").await, (200, "started: ok\n".into()));
    assert_eq!(running.get("/elsewhere").await.0, 404);
    running.end().await;
}

#[tokio::test]
async fn what_runs_and_since_when_is_shown() {
    let fixture = fixture();
    fixture.broker.publish(end_of("never")).await.unwrap();
    let running = Running::start(builder(fixture.broker.clone(), "seen").locks(memory_locks()));
    let age = r#"celeriac_task_oldest_run_seconds{task="seen.end"}"#;
    let scrape = running.until(|scrape| scrape.value(age).is_some_and(|age| age > 0.2)).await;
    scrape.assert(r#"celeriac_tasks_running{task="seen.end"}"#, 1.0);
    scrape.assert(r#"celeriac_pool_slots_busy{pool="seen"}"#, 1.0);
    scrape.assert(r#"celeriac_handlers_stuck{task="seen.end"}"#, 0.0);
    running.end().await;
}

#[tokio::test]
async fn metrics_belong_to_one_worker_and_a_registry_takes_them_once() {
    let registry = Metrics::register(&Registry::default()).unwrap();
    let worker = || builder(Broker::memory(), "seen").metrics(&registry).build();
    assert!(worker().is_ok());
    let error = worker().unwrap_err().to_string();
    assert!(error.contains("another worker's"), "{error}");
    assert!(Metrics::register(registry.registry()).is_err());
}
