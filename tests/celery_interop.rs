//! Celeriac and the Python package `celery` run each other's tasks over one queue, whichever side starts first.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use celeriac::{Broker, Queue};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::record::Record;
use crate::support::{BOUND, Child, amqp_url, eventually, example, python, unique};

/// What `interop.record` prints, in either language.
#[derive(Debug, Deserialize)]
struct Ran {
    id: String,
    root_id: String,
    number: i64,
    text: String,
    flag: bool,
    attempt: u32,
    traceparent: Option<String>,
    /// Celery's worker alone knows it.
    priority: Option<u8>,
    at: f64,
}

async fn ran(worker: &mut Child) -> Ran {
    let line = worker.wait_for_line(|line| line.starts_with("ran ")).await;
    serde_json::from_str(line.trim_start_matches("ran ")).unwrap()
}

fn celeriac_worker(queue: &str) -> Child {
    let mut command = Command::new(example("test-worker"));
    command.arg(queue).env("CELERIAC_BROKER_URL", amqp_url());
    Child::spawn(command)
}

fn celery_worker(queue: &str) -> Child {
    let mut command = celery(queue);
    command.args(["-m", "celery", "-A", "interop", "worker", "--pool", "solo", "-Q", queue, "-l", "INFO"]);
    command.args(["-n", &format!("{queue}@%h"), "--without-gossip", "--without-mingle", "--without-heartbeat"]);
    Child::spawn(command)
}

/// Has a Celery producer call `interop.record` with these options of `send_task`; returns each id and instant.
async fn produce(mut celery: Command, calls: &[Value]) -> Vec<(String, f64)> {
    let mut producer = Child::spawn({
        celery.arg("interop.py").args(calls.iter().map(Value::to_string));
        celery
    });
    assert!(producer.wait().await.success(), "{}", producer.output());
    let output = producer.output();
    let published = output.lines().filter_map(|line| line.strip_prefix("published ")?.split_once(' '));
    let published: Vec<_> = published.map(|(id, at)| (id.to_owned(), at.parse().unwrap())).collect();
    assert_eq!(published.len(), calls.len(), "{output}");
    published
}

fn celery(queue: &str) -> Command {
    let mut command = Command::new(python());
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/celery"));
    command.env("INTEROP_QUEUE", queue).env("CELERIAC_TEST_AMQP_URL", amqp_url());
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    command
}

fn broker(queue: &str) -> Broker {
    Broker::builder().url(&amqp_url()).queue(Queue::shared_with_celery(queue).unwrap()).build().unwrap()
}

/// Waits until a worker, of either language, consumes from the queue.
async fn consumed(queue: &str) {
    let connection = Connection::connect(&amqp_url(), ConnectionProperties::default()).await.unwrap();
    eventually(BOUND, || async {
        // A queue that is not there closes the channel.
        let channel = connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(queue.into(), passive, FieldTable::default()).await.ok()?;
        (found.consumer_count() > 0).then_some(())
    })
    .await;
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[tokio::test]
async fn a_celeriac_worker_runs_what_a_celery_producer_published_before_it_started() {
    let queue = unique("celery");
    let calls = [json!({"args": [1, "positional", true]}), json!({"kwargs": {"text": "keyword: ü", "number": -2}})];
    let published = produce(celery(&queue), &calls).await;

    let mut worker = celeriac_worker(&queue);
    let first = ran(&mut worker).await;
    assert_eq!((first.number, first.text.as_str(), first.flag, first.attempt), (1, "positional", true, 1));
    assert_eq!((&first.id, &first.root_id), (&published[0].0, &published[0].0));
    let second = ran(&mut worker).await;
    assert_eq!((second.number, second.text.as_str(), second.flag), (-2, "keyword: ü", false));
}

#[tokio::test]
async fn a_celery_producer_publishes_to_the_queue_that_a_celeriac_worker_declared() {
    let queue = unique("celery");
    let mut worker = celeriac_worker(&queue);
    consumed(&queue).await;
    let published = produce(celery(&queue), &[json!({"args": [1], "kwargs": {"text": "both"}})]).await;
    let first = ran(&mut worker).await;
    assert_eq!((first.id, first.text.as_str()), (published[0].0.clone(), "both"));
}

#[tokio::test]
async fn a_celeriac_worker_honours_celerys_countdown_and_expires() {
    let queue = unique("celery");
    let mut worker = celeriac_worker(&queue);
    consumed(&queue).await;
    let calls = [
        json!({"args": [1, "expires while it waits"], "countdown": 1, "expires": 0.5}),
        json!({"args": [2, "in time"], "countdown": 2, "expires": 60}),
        json!({"args": [3, "at once"]}),
    ];
    let published = produce(celery(&queue), &calls).await;

    assert_eq!(ran(&mut worker).await.number, 3);
    let second = ran(&mut worker).await;
    assert_eq!(second.number, 2, "what has expired does not run");
    let waited = second.at - published[1].1;
    // Celery's producer computes the eta before it says that it has published.
    assert!((1.9..4.0).contains(&waited), "ran after {waited} s");
}

#[tokio::test]
async fn a_celeriac_worker_adopts_a_queue_that_celery_declared_with_priorities_and_takes_the_highest_first() {
    let queue = unique("celery");
    let mut producer = celery(&queue);
    producer.env("INTEROP_MAX_PRIORITY", "10");
    let calls = [(1, 1), (2, 9), (3, 5)].map(|(number, p)| json!({"args": [number, "priority"], "priority": p}));
    produce(producer, &calls).await;

    let mut worker = celeriac_worker(&queue);
    let order = [ran(&mut worker).await.number, ran(&mut worker).await.number, ran(&mut worker).await.number];
    assert_eq!(order, [2, 3, 1]);
}

#[tokio::test]
async fn a_celery_worker_runs_what_celeriac_published_before_it_started() {
    let queue = unique("celery");
    let broker = broker(&queue);
    let typed = Record { number: 1, text: "zwei ü \"quoted\"".to_owned(), flag: true };
    let typed = broker.message(typed).queue(&queue).priority(7).publish().await.unwrap();
    let named = broker.task_named("interop.record", [json!(2)], json!({"text": "by name"}));
    let named = named.queue(&queue).publish().await.unwrap();

    let mut worker = celery_worker(&queue);
    let first = ran(&mut worker).await;
    assert_eq!((first.number, first.text.as_str(), first.flag, first.attempt), (1, "zwei ü \"quoted\"", true, 1));
    assert_eq!((first.id.as_str(), first.root_id.as_str()), (typed.id.as_str(), typed.id.as_str()));
    assert_eq!(first.priority, Some(7));
    let second = ran(&mut worker).await;
    assert_eq!((second.id.as_str(), second.number, second.text.as_str()), (named.id.as_str(), 2, "by name"));
}

#[tokio::test]
async fn a_celery_worker_that_declared_the_queue_honours_celeriacs_delay_and_expires() {
    let queue = unique("celery");
    let mut worker = celery_worker(&queue);
    consumed(&queue).await;
    let broker = broker(&queue);
    let call = |number| {
        let record = Record { number, text: "delayed".to_owned(), flag: false };
        broker.message(record).queue(&queue)
    };
    let second = Duration::from_secs(1);
    call(1).delay(second).expires(second / 2).publish().await.unwrap();
    let published = now();
    call(2).delay(2 * second).expires(60 * second).publish().await.unwrap();
    call(3).publish().await.unwrap();

    assert_eq!(ran(&mut worker).await.number, 3);
    let delayed = ran(&mut worker).await;
    assert_eq!(delayed.number, 2, "what has expired does not run");
    let waited = delayed.at - published;
    assert!((2.0..4.0).contains(&waited), "ran after {waited} s");
}

#[tokio::test]
async fn a_trace_goes_on_from_either_side_to_the_other() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (to_celeriac, to_celery) = (unique("celery"), unique("celery"));
    let calls =
        [json!({"args": [1, "traced"], "headers": {"traceparent": parent}}), json!({"args": [2, "not traced"]})];
    produce(celery(&to_celeriac), &calls).await;
    let broker = broker(&to_celery);
    let call = |number| {
        let record = Record { number, text: "traced".to_owned(), flag: false };
        broker.message(record).queue(&to_celery)
    };
    call(1).header("traceparent", parent).publish().await.unwrap();
    call(2).publish().await.unwrap();

    for mut worker in [celeriac_worker(&to_celeriac), celery_worker(&to_celery)] {
        let (traced, not) = (ran(&mut worker).await, ran(&mut worker).await);
        assert_eq!((traced.number, traced.traceparent.as_deref()), (1, Some(parent)));
        assert_eq!((not.number, not.traceparent), (2, None));
    }
}
