use std::time::{Duration, SystemTime};

use celeriac_broker::{HeaderValue, Request, message::names};
use serde_json::{Value, json};

use crate::sample::{names, sample};

fn decoded(name: &str) -> Request {
    Request::decode(&sample(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

fn instant(text: &str) -> SystemTime {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

#[test]
fn every_captured_task_is_read() {
    let names = names();
    assert!(names.len() >= 20, "the samples are there: {names:?}");
    for name in names {
        let message = sample(&name);
        let request = decoded(&name);
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(request.id.as_str(), message.headers.text(names::ID).unwrap(), "{name}");
        assert_eq!(request.task, message.headers.text(names::TASK).unwrap(), "{name}");
        assert_eq!(i64::from(request.attempt) - 1, message.headers.int(names::RETRIES).unwrap(), "{name}");
        assert_eq!(request.root_id.as_str(), message.headers.text(names::ROOT_ID).unwrap(), "{name}");
        assert_eq!(Value::from(request.args), body[0], "{name}");
        assert_eq!(Value::Object(request.kwargs), body[1], "{name}");
        assert_eq!(request.embed, body[2], "{name}");
    }
}

#[test]
fn a_plain_task_has_no_times_and_no_limits() {
    let request = decoded("task-add");
    assert_eq!(request.task, "tasks_app.add");
    assert_eq!((request.eta, request.expires, request.time_limit, request.soft_time_limit), (None, None, None, None));
    assert_eq!((request.attempt, request.parent_id), (1, None));
    assert_eq!((request.published_at, request.ready_at, request.deadline), (None, None, None));
}

#[test]
fn every_option_of_a_celery_producer_is_read() {
    let request = decoded("task-all-options");
    assert_eq!(request.eta, Some(instant("2026-11-22T16:29:29.571106Z")));
    assert_eq!(request.expires, Some(instant("2026-11-22T16:30:27.571106Z")));
    assert_eq!(request.time_limit, Some(Duration::from_secs(30)));
    assert_eq!(request.soft_time_limit, Some(Duration::from_secs(20)));
    assert_eq!(request.kwargs["z"], 4);
}

#[test]
fn an_eta_in_another_zone_is_the_same_instant() {
    assert_eq!(decoded("task-eta").eta, Some(instant("2026-11-22T10:00:00Z")));
}

#[test]
fn a_retry_by_celery_is_a_later_attempt_and_its_own_parent() {
    let request = decoded("task-retry-2");
    assert_eq!(request.attempt, 3);
    assert_eq!(request.parent_id, Some(request.id));
}

#[test]
fn escaped_text_beyond_the_basic_plane_is_read() {
    assert_eq!(decoded("task-unicode").args, [json!("café 😀")]);
}

#[test]
fn what_python_chains_and_groups_stays_in_the_request() {
    assert_eq!(decoded("chain-0-first").embed["chain"].as_array().unwrap().len(), 3);
    assert_eq!(decoded("task-link").embed["callbacks"][0]["task"], "tasks_app.oncb");
    let group = sample("group-1");
    assert_eq!(group.headers.int(names::GROUP_INDEX), Some(1));
    assert!(matches!(group.headers.get(names::GROUP), Some(HeaderValue::Text(_))));
}
