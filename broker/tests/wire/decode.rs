use std::time::{Duration, UNIX_EPOCH};

use celeriac_broker::{HeaderValue, Message, Reason, Request, message::names};

use crate::sample::sample;

fn with_body(body: impl Into<Vec<u8>>) -> Message {
    let mut message = sample("task-add");
    message.body = body.into().into();
    message
}

fn with_header(name: &'static str, value: impl Into<HeaderValue>) -> Message {
    let mut message = sample("task-add");
    message.headers.set(name, value);
    message
}

/// What the refusal says.
fn refusal(message: &Message) -> String {
    let fault = Request::decode(message).unwrap_err();
    assert_eq!(fault.reason, Reason::Undecodable);
    fault.to_string()
}

#[test]
fn a_body_that_is_not_json_is_refused_with_the_place() {
    assert!(refusal(&with_body("[[2,")).contains("not JSON: EOF"));
    assert!(refusal(&with_body("")).contains("not JSON"));
    assert!(refusal(&with_body(b"[[\"\xff\"], {}, {}]".to_vec())).contains("not JSON: invalid unicode"));
    assert!(refusal(&with_body(r#"[["\ud83d"], {}, {}]"#)).contains("hex escape"));
}

#[test]
fn not_a_number_and_infinities_are_refused_by_name() {
    for body in ["[[NaN], {}, {}]", "[[1, -Infinity], {}, {}]", "[[],\n{\"x\": Infinity}, {}]", "NaN", "[[-NaN],{},{}]"]
    {
        let text = refusal(&with_body(body));
        assert!(text.contains("NaN and Infinity are not JSON"), "{body}: {text}");
    }
    assert!(!refusal(&with_body("[[\"NaN\"], nope]")).contains("Infinity"));
}

#[test]
fn a_body_of_another_shape_is_refused() {
    for body in ["{}", "[]", "[[], {}]", "[[], {}, {}, {}]", "[{}, {}, {}]", "[[], [], {}]", "3", "null"] {
        assert!(refusal(&with_body(body)).contains("[args, kwargs, embed]"), "{body}");
    }
}

#[test]
fn nesting_without_end_is_refused_and_does_not_crash() {
    assert!(refusal(&with_body("[".repeat(200_000))).contains("recursion limit"));
    assert!(refusal(&with_body(r#"{"a":"#.repeat(200_000))).contains("recursion limit"));
}

#[test]
fn what_is_no_protocol_2_is_refused_and_protocol_1_is_named() {
    let mut message = with_body(r#"{"task": "tasks_app.add", "id": "1", "args": [2, 3], "kwargs": {}}"#);
    message.headers.remove(names::TASK);
    assert!(refusal(&message).contains("protocol 1"));
    message.body = "hello".into();
    assert!(refusal(&message).contains("not a task message"));
    message.headers.set(names::TASK, "tasks_app.add");
    message.headers.remove(names::ID);
    assert!(refusal(&message).contains("no header `id`"));
}

#[test]
fn other_content_than_plain_json_is_refused_by_name() {
    let mut message = sample("task-add");
    message.properties.content_type = Some("application/x-python-serialize".into());
    assert!(refusal(&message).contains("application/x-python-serialize"));
    message.properties.content_type = None;
    assert!(refusal(&message).contains("no content type"));
    message.properties.content_type = Some("application/json".into());
    message.properties.content_encoding = Some("binary".into());
    assert!(refusal(&message).contains("binary"));
    message.properties.content_encoding = None;
    assert!(Request::decode(&message).is_ok());
    message.headers.set(names::COMPRESSION, "application/x-gzip");
    assert!(refusal(&message).contains("application/x-gzip"));
}

#[test]
fn instants_are_read_in_every_form_that_producers_write() {
    let expected = UNIX_EPOCH + Duration::from_secs(1_795_363_769);
    for text in [
        "2026-11-22T16:09:29+00:00",
        "2026-11-22T16:09:29Z",
        "2026-11-22T16:09:29.000000Z",
        "2026-11-22T16:09:29",
        "2026-11-22 16:09:29.000000",
        "2026-11-22T18:09:29+02:00",
        "2026-11-22T10:39:29-05:30",
        "2026-11-22T18:09:29+0200",
    ] {
        for name in [names::ETA, names::EXPIRES] {
            let request = Request::decode(&with_header(name, text)).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(request.eta.or(request.expires), Some(expected), "{text}");
        }
    }
    let request = Request::decode(&with_header(names::ETA, HeaderValue::Timestamp(1_795_363_769))).unwrap();
    assert_eq!(request.eta, Some(expected));
}

#[test]
fn an_instant_that_is_none_is_refused() {
    assert!(refusal(&with_header(names::ETA, "tomorrow")).contains("`eta`"));
    assert!(refusal(&with_header(names::EXPIRES, 17_i64)).contains("`expires`"));
    assert!(refusal(&with_header(names::ETA, HeaderValue::Timestamp(u64::MAX))).contains("out of range"));
}

#[test]
fn time_limits_are_read_as_integers_floats_decimals_and_nothing() {
    let limits = |value: HeaderValue| {
        let request = Request::decode(&with_header(names::TIMELIMIT, value))?;
        Ok::<_, celeriac_broker::message::Undecodable>((request.time_limit, request.soft_time_limit))
    };
    let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    let list = HeaderValue::List;
    assert_eq!(limits(list(vec![30_i64.into(), 20.5.into()])), Ok((seconds(30.0), seconds(20.5))));
    assert_eq!(limits(list(vec![HeaderValue::Decimal { scale: 1, value: 25 }])), Ok((seconds(2.5), None)));
    assert_eq!(limits(list(vec![HeaderValue::Null, 1_i64.into()])), Ok((None, seconds(1.0))));
    assert_eq!(limits(list(vec![0_i64.into(), 0.0.into()])), Ok((None, None)), "0 is no limit, as in Celery");
    assert_eq!(limits(list(Vec::new())), Ok((None, None)));
    assert_eq!(limits(HeaderValue::Null), Ok((None, None)));
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(limits(list(vec![bad.into()])).is_err(), "{bad}");
    }
    assert!(limits(HeaderValue::Int(3)).is_err());
    let mut message = sample("task-add");
    message.headers.remove(names::TIMELIMIT);
    assert_eq!(Request::decode(&message).unwrap().time_limit, None);
}

#[test]
fn a_count_of_retries_of_any_kind_never_overflows() {
    let attempt = |value: HeaderValue| Request::decode(&with_header(names::RETRIES, value)).unwrap().attempt;
    assert_eq!(attempt(2_i64.into()), 3);
    assert_eq!(attempt(2.0.into()), 3);
    assert_eq!(attempt(HeaderValue::Null), 1);
    assert_eq!(attempt((-5_i64).into()), 1);
    assert_eq!(attempt(i64::MAX.into()), u32::MAX);
}

#[test]
fn absent_headers_of_older_senders_are_their_defaults() {
    let mut message = sample("task-add");
    message.headers.retain(|name| name == names::TASK || name == names::ID);
    let request = Request::decode(&message).unwrap();
    assert_eq!((request.attempt, &request.root_id, request.parent_id), (1, &request.id, None));
}

#[test]
fn a_request_and_a_message_in_a_log_show_no_arguments() {
    let message = with_body(r#"[["hunter2"], {"password": "hunter2"}, {}]"#);
    let request = Request::decode(&message).unwrap();
    assert!(!format!("{message:?} {request:?}").contains("hunter2"));
}
