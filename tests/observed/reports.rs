use std::collections::BTreeMap;

use axum::body::Bytes;
use celeriac::{Broker, TaskId};
use serde_json::Value;

use super::stage::{Receiver, Stage, end};

/// The events in what was received: an envelope is a line of JSON, then for each item its header and its payload.
fn events(received: &[Bytes]) -> Vec<Value> {
    let mut events = Vec::new();
    for envelope in received {
        let mut lines = envelope.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty());
        while let (Some(header), Some(payload)) = (lines.next(), lines.next()) {
            let header: Value = serde_json::from_slice(header).unwrap();
            if header["type"] == "event" {
                events.push(serde_json::from_slice(payload).unwrap());
            }
        }
    }
    events
}

async fn publish(broker: &Broker, how: &str) -> TaskId {
    let arguments = BTreeMap::from([("company", "eu-7"), ("how", how)]);
    broker.task_named("observed.end", (), arguments).queue("observed").publish().await.unwrap().id
}

#[tokio::test]
async fn a_failure_is_reported_once_when_no_attempt_is_left() {
    let stage = Stage::new();
    let mut sentry = Receiver::start().await;
    let dsn = format!("http://key@{}/42", sentry.address);
    let broker = stage.broker();
    let recovers = publish(&broker, "recovers").await;
    let mut expected = BTreeMap::new();
    for (how, reason, attempt, error) in [
        ("fails", "error", "3", "the gateway is down"),
        ("is wrong", "permanent", "1", "there is no such account"),
        ("panics", "panic", "3", "a bug"),
        ("hangs", "hard_limit", "3", "hard"),
    ] {
        expected.insert(publish(&broker, how).await.to_string(), (reason, attempt, error));
    }
    let mut worker = stage.program(&[], &[("SENTRY_DSN", &dsn), ("SENTRY_RELEASE", "shop@1.2.3")]);
    let recovered = |line: &str| line.contains(recovers.as_str()) && line.contains("outcome=\"succeeded\"");
    worker.wait_for_line(recovered).await;
    sentry.until(|received| (events(received).len() >= expected.len()).then_some(())).await;
    let output = end(worker).await;

    let reported = events(&sentry.received());
    assert_eq!(reported.len(), expected.len(), "each once, and what recovered never: {reported:#?}");
    for event in reported {
        let tag = |name: &str| event["tags"][name].as_str().unwrap_or_else(|| panic!("no tag {name} in {event:#}"));
        let (reason, attempt, error) = expected.remove(tag("task_id")).unwrap_or_else(|| panic!("{event:#}"));
        assert_eq!((tag("reason"), tag("attempt")), (reason, attempt));
        assert_eq!((tag("task"), tag("queue"), tag("company"), tag("of")), ("observed.end", "observed", "eu-7", "4"));
        assert!(tag("worker").starts_with(tag("hostname")));
        assert_eq!((&event["transaction"], &event["release"]), (&"observed.end".into(), &"shop@1.2.3".into()));
        let exception = &event["exception"]["values"][0];
        assert_eq!(exception["type"], reason);
        assert!(exception["value"].as_str().unwrap().contains(error), "{exception}");
        let text = event.to_string();
        assert!(!text.contains("is wrong") && !text.contains("\"how\""), "no argument that is no tag: {text}");
    }
    assert!(!output.contains("key@"), "{output}");
}
