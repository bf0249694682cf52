use std::time::{Duration, SystemTime, UNIX_EPOCH};

use celeriac_broker::{
    Arg, Broker, Error, HeaderValue, Message, Request, Task, TaskOptions, message::names, transport::MAX_DELAY,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sample::sample;

#[derive(Serialize, Deserialize)]
struct Add {
    x: i64,
    y: i64,
}

impl Task for Add {
    const NAME: &'static str = "tasks_app.add";
    const ARGS: &'static [Arg] = &[Arg::required("x"), Arg::required("y")];
    type Output = i64;
    fn options() -> TaskOptions {
        TaskOptions::new()
            .queue("celery")
            .time_limit(Duration::from_secs(30))
            .soft_time_limit(Duration::from_millis(500))
    }
}

const ADD: Add = Add { x: 2, y: 3 };

fn json(message: &Message) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}

fn kind(value: &HeaderValue) -> String {
    let text = format!("{value:?}");
    text.split(['(', '{', ' ']).next().unwrap_or_default().to_owned()
}

/// Name and kind of each header that is not ours, in order.
fn kinds(message: &Message) -> Vec<(&str, String)> {
    let mut kinds: Vec<_> = message
        .headers
        .iter()
        .filter(|(name, _)| !name.starts_with(names::RESERVED_PREFIX))
        .map(|(name, value)| (name, kind(value)))
        .collect();
    kinds.sort();
    kinds
}

#[test]
fn what_is_published_has_the_headers_of_a_captured_message_and_their_types() {
    let broker = Broker::memory();
    let (_, ours) = broker.task_named("tasks_app.add", (2, 3), ()).build().unwrap();
    let theirs = sample("task-add");
    assert_eq!(kinds(&ours), kinds(&theirs));
    for name in [names::TASK, names::ARGSREPR, names::KWARGSREPR, names::RETRIES, names::TIMELIMIT, names::STAMPS] {
        assert_eq!(ours.headers.get(name), theirs.headers.get(name), "{name}");
    }
    assert_eq!(json(&ours), json(&theirs));
    assert_eq!(ours.properties.content_type, theirs.properties.content_type);
    assert_eq!(ours.properties.content_encoding, theirs.properties.content_encoding);
    assert_eq!(ours.properties.priority, theirs.properties.priority);
    assert_eq!(ours.properties.correlation_id.as_deref(), ours.headers.text(names::ID));
    assert_eq!(ours.headers.text(names::ROOT_ID), ours.headers.text(names::ID));
}

#[test]
fn a_typed_task_is_published_with_keyword_arguments_and_its_options() {
    let (to, message) = Broker::memory().message(ADD).build().unwrap();
    assert_eq!((to.queue.name.as_str(), to.delay), ("celery", Duration::ZERO));
    let body = json(&message);
    assert_eq!(body[0], json!([]));
    assert_eq!(body[1], json!({"x": 2, "y": 3}));
    assert_eq!(message.headers.text(names::ARGSREPR), Some("()"));
    assert_eq!(message.headers.text(names::KWARGSREPR), Some("{'x': 2, 'y': 3}"));
    let limits = HeaderValue::List(vec![30_i64.into(), 0.5.into()]);
    assert_eq!(message.headers.get(names::TIMELIMIT), Some(&limits));
    let request = Request::decode(&message).unwrap();
    assert_eq!(request.attempt, 1);
    assert_eq!(request.ready_at, request.published_at);
}

#[test]
fn a_draft_with_everything_has_the_headers_of_its_captured_twin() {
    let expires = SystemTime::now() + Duration::from_secs(60);
    let (to, ours) = Broker::memory()
        .task_named("tasks_app.add", (2, 3), json!({"z": 4}))
        .id("11111111-1111-1111-1111-111111111111")
        .delay(Duration::from_secs(2))
        .expires_at(expires)
        .priority(5)
        .header("x-custom", "v")
        .build()
        .unwrap();
    assert_eq!(to.delay, Duration::from_secs(2));
    let theirs = sample("task-all-options");
    for name in [names::ETA, names::EXPIRES, "x-custom"] {
        assert_eq!(kind(ours.headers.get(name).unwrap()), kind(theirs.headers.get(name).unwrap()), "{name}");
        assert_eq!(ours.headers.text(name).unwrap().len(), theirs.headers.text(name).unwrap().len(), "{name}");
    }
    assert_eq!(ours.properties.priority, theirs.properties.priority);
    assert_eq!(ours.headers.text(names::KWARGSREPR), theirs.headers.text(names::KWARGSREPR));
    assert_eq!(json(&ours), json(&theirs));
    let request = Request::decode(&ours).unwrap();
    let micros = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_micros();
    assert_eq!(micros(request.expires.unwrap()), micros(expires));
    assert_eq!(request.ready_at.unwrap(), request.published_at.unwrap() + Duration::from_secs(2));
}

#[test]
fn a_child_keeps_its_root_and_its_parent() {
    let parent = Request::decode(&sample("chain-1")).unwrap();
    let (_, message) = Broker::memory().message(ADD).child_of(&parent).build().unwrap();
    let child = Request::decode(&message).unwrap();
    assert_eq!((child.root_id, child.parent_id), (parent.root_id, Some(parent.id)));
}

#[test]
fn what_can_not_be_published_is_refused_before_anything_is_sent() {
    let broker = Broker::memory();
    let refused = |draft: celeriac_broker::Draft<Add>| draft.build().unwrap_err();
    let long = MAX_DELAY + Duration::from_nanos(1);
    assert!(matches!(refused(broker.message(ADD).delay(long)), Error::DelayTooLong { .. }));
    assert!(matches!(refused(broker.message(ADD).delay(Duration::MAX)), Error::DelayTooLong { .. }));
    assert!(matches!(refused(broker.message(ADD).priority(10)), Error::InvalidPriority { asked: 10 }));
    assert!(matches!(refused(broker.message(ADD).queue("")), Error::InvalidQueueName { .. }));
    for name in ["celeriac-deadline", "task", "retries", "compression", "celeriac-"] {
        assert!(matches!(refused(broker.message(ADD).header(name, "v")), Error::ReservedHeader { .. }), "{name}");
    }
    let config = |error: Error| matches!(error, Error::Config { .. });
    assert!(config(refused(broker.message(ADD).id(""))));
    assert!(config(refused(broker.message(ADD).id("i".repeat(256)))));
    assert!(config(refused(broker.message(ADD).header("h".repeat(256), "v"))));
    assert!(config(refused(broker.message(ADD).header("h", "v".repeat(130_000)))));
    assert!(config(refused(broker.message(ADD).tag("t".repeat(130_000)))));
    assert!(config(broker.task_named("", (), ()).build().unwrap_err()));
    assert!(broker.message(ADD).id("i".repeat(255)).delay(MAX_DELAY).priority(9).build().is_ok());
}

#[test]
fn arguments_that_are_no_list_or_no_object_are_refused() {
    let broker = Broker::memory();
    let encode = |result: Result<_, Error>| matches!(result, Err(Error::Encode { .. }));
    assert!(encode(broker.task_named("t", 3, ()).build()));
    assert!(encode(broker.task_named("t", json!({}), ()).build()));
    assert!(encode(broker.task_named("t", (), json!([1])).build()));
    assert!(encode(broker.task_named("t", (), "text").build()));
    let map: std::collections::HashMap<(u8, u8), u8> = [((1, 2), 3)].into();
    assert!(encode(broker.task_named("t", (), map).build()), "keys are text");
    assert!(broker.task_named("t", Value::Null, Value::Null).build().is_ok());
}

#[tokio::test]
async fn a_task_without_a_type_is_sent_to_its_queue() {
    let sent = Broker::memory().task_named("tasks_app.add", [2, 3], ()).queue("sums").id("a").publish().await.unwrap();
    assert_eq!((sent.id.as_str(), sent.queue.as_str()), ("a", "sums"));
}

#[test]
fn a_draft_in_a_log_shows_no_arguments() {
    let draft = Broker::memory().task_named("login", ("hunter2",), ());
    assert!(!format!("{draft:?}").contains("hunter2"));
}
