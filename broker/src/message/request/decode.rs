use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::{Request, time::parse_iso8601};
use crate::{
    HeaderValue, Message, Reason,
    message::{Tags, TraceContext, names},
};

/// Why a message can't be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
#[non_exhaustive]
pub struct Undecodable {
    /// The member of the closed set.
    pub reason: Reason,
    /// What is wrong, for people.
    pub fault: String,
}

impl Undecodable {
    fn new(fault: impl Into<String>) -> Self {
        Self { reason: Reason::Undecodable, fault: fault.into() }
    }
}

impl Request {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Undecodable`] when it is no task of protocol 2, its content type is not JSON, or it is compressed.
    pub fn decode(message: &Message) -> Result<Self, Undecodable> {
        let headers = &message.headers;
        let task = headers.text(names::TASK).ok_or_else(|| not_protocol_2(&message.body))?;
        let id = headers.text(names::ID).ok_or_else(|| Undecodable::new("no header `id`"))?;
        check_content(message)?;
        let (args, kwargs, embed) = body(&message.body)?;
        let (time_limit, soft_time_limit) = limits(headers.get(names::TIMELIMIT))?;
        let id = crate::TaskId::from(id);
        Ok(Self {
            task: task.to_owned(),
            attempt: attempt(headers.int(names::RETRIES)),
            eta: instant(message, names::ETA)?,
            expires: instant(message, names::EXPIRES)?,
            time_limit,
            soft_time_limit,
            root_id: headers.text(names::ROOT_ID).map_or_else(|| id.clone(), Into::into),
            parent_id: headers.text(names::PARENT_ID).map(Into::into),
            published_at: headers.instant(names::PUBLISHED_AT),
            ready_at: headers.instant(names::READY_AT),
            deadline: headers.instant(names::DEADLINE),
            deferrals: headers.int(names::DEFERRALS).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            previous_delay: headers.duration(names::PREVIOUS_DELAY),
            fences: fences(headers.table(names::FENCES)),
            trace: TraceContext::read(headers),
            tags: Tags::read(headers),
            id,
            args,
            kwargs,
            embed,
        })
    }
}

fn fences(entries: &[(String, HeaderValue)]) -> Vec<(String, u64)> {
    let token = |(lock, token): &(String, HeaderValue)| Some((lock.clone(), u64::try_from(token.as_int()?).ok()?));
    entries.iter().filter_map(token).collect()
}

/// Protocol 1 has the task's name in the body.
fn not_protocol_2(body: &[u8]) -> Undecodable {
    #[derive(serde::Deserialize)]
    struct Protocol1 {
        #[serde(rename = "task")]
        _task: String,
        #[serde(rename = "id")]
        _id: String,
    }
    Undecodable::new(match serde_json::from_slice::<Protocol1>(body) {
        Ok(_) => "no header `task`: this is Celery's protocol 1, and only protocol 2 is read; set `task_protocol = 2`",
        Err(_) => "no header `task`: this is not a task message of Celery's protocol 2",
    })
}

/// `retries` on the wire counts the attempts before this one.
fn attempt(retries: Option<i64>) -> u32 {
    u32::try_from(retries.unwrap_or(0).max(0)).unwrap_or(u32::MAX).saturating_add(1)
}

fn check_content(message: &Message) -> Result<(), Undecodable> {
    let properties = &message.properties;
    match properties.content_type.as_deref() {
        Some("application/json") => {}
        Some(other) => return Err(Undecodable::new(format!("content type {other:?}: only application/json is read"))),
        None => return Err(Undecodable::new("no content type: only application/json is read")),
    }
    match properties.content_encoding.as_deref() {
        None => {}
        Some(encoding) if encoding.eq_ignore_ascii_case("utf-8") => {}
        Some(other) => return Err(Undecodable::new(format!("content encoding {other:?}: only utf-8 is read"))),
    }
    match message.headers.text(names::COMPRESSION) {
        None => Ok(()),
        Some(kind) => Err(Undecodable::new(format!("compressed as {kind:?}: compressed bodies are not read"))),
    }
}

/// `[args, kwargs, embed]`.
type Body = (Vec<Value>, Map<String, Value>, Value);

fn body(bytes: &[u8]) -> Result<Body, Undecodable> {
    let body: Value = serde_json::from_slice(bytes).map_err(|fault| not_json(bytes, &fault))?;
    let shape = || Undecodable::new("the body is not [args, kwargs, embed]");
    let Value::Array(parts) = body else { return Err(shape()) };
    let [args, kwargs, embed] = <[Value; 3]>::try_from(parts).map_err(|_| shape())?;
    match (args, kwargs) {
        (Value::Array(args), Value::Object(kwargs)) => Ok((args, kwargs, embed)),
        _ => Err(shape()),
    }
}

/// Python writes NaN and infinities bare, which JSON does not have; serde's text alone would puzzle its reader.
fn not_json(bytes: &[u8], fault: &serde_json::Error) -> Undecodable {
    let line = bytes.split(|byte| *byte == b'\n').nth(fault.line().saturating_sub(1)).unwrap_or_default();
    let near = &line[fault.column().saturating_sub(2).min(line.len())..];
    let hint = if ["NaN", "Infinity", "-Infinity"].iter().any(|word| contains_at_start(near, word)) {
        "; NaN and Infinity are not JSON: send null or text instead"
    } else {
        ""
    };
    Undecodable::new(format!("the body is not JSON: {fault}{hint}"))
}

/// The parser stops at the word's first byte, or at the one after a minus sign.
fn contains_at_start(near: &[u8], word: &str) -> bool {
    (0..=2).any(|skipped| near.get(skipped..).is_some_and(|rest| rest.starts_with(word.as_bytes())))
}

fn instant(message: &Message, name: &str) -> Result<Option<SystemTime>, Undecodable> {
    match message.headers.get(name) {
        None | Some(HeaderValue::Null) => Ok(None),
        Some(HeaderValue::Text(text)) => parse_iso8601(text)
            .map(Some)
            .ok_or_else(|| Undecodable::new(format!("the header `{name}` is no ISO 8601 instant"))),
        Some(HeaderValue::Timestamp(seconds)) => {
            let instant = UNIX_EPOCH.checked_add(Duration::from_secs(*seconds));
            instant.map(Some).ok_or_else(|| Undecodable::new(format!("the header `{name}` is out of range")))
        }
        Some(_) => Err(Undecodable::new(format!("the header `{name}` is no text"))),
    }
}

/// Celery writes `[hard, soft]` in seconds, integers or floats, each of them or all of it null.
fn limits(value: Option<&HeaderValue>) -> Result<(Option<Duration>, Option<Duration>), Undecodable> {
    let seconds = |value: Option<&HeaderValue>| match value {
        None | Some(HeaderValue::Null) => Ok(None),
        Some(value) => value
            .as_float()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .map(|limit| Some(limit).filter(|limit| !limit.is_zero()))
            .ok_or_else(|| Undecodable::new("the header `timelimit` is not [hard, soft] in seconds")),
    };
    match value {
        None | Some(HeaderValue::Null) => Ok((None, None)),
        Some(HeaderValue::List(limits)) => Ok((seconds(limits.first())?, seconds(limits.get(1))?)),
        Some(_) => Err(Undecodable::new("the header `timelimit` is not [hard, soft] in seconds")),
    }
}
