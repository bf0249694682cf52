use std::time::SystemTime;

use celeriac_broker::{HeaderValue, Headers, Message, message::names};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::text;

/// What is told of a dead letter. The arguments are the masked text that the publisher wrote, never the body.
#[derive(Debug, Serialize)]
pub(super) struct Letter {
    pub(super) id: String,
    pub(super) task: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) error: Option<String>,
    pub(super) queue: Option<String>,
    /// ISO 8601.
    pub(super) died_at: Option<String>,
    /// ISO 8601.
    pub(super) published_at: Option<String>,
    pub(super) attempts: Option<i64>,
    /// As published: `key=value`, or a word alone.
    pub(super) tags: Vec<String>,
    pub(super) args: Option<String>,
    pub(super) kwargs: Option<String>,
    pub(super) body_bytes: usize,
    #[serde(skip)]
    pub(super) died: Option<SystemTime>,
}

impl Letter {
    pub(super) fn of(message: &Message) -> Self {
        let headers = &message.headers;
        let owned = |name| headers.text(name).map(str::to_owned);
        let died = headers.instant(names::DEAD_AT);
        Self {
            id: message.id().as_str().to_owned(),
            task: message.task().map(str::to_owned),
            reason: owned(names::DEAD_REASON),
            error: owned(names::DEAD_ERROR),
            queue: owned(names::DEAD_QUEUE),
            died_at: died.map(text::instant),
            published_at: headers.instant(names::PUBLISHED_AT).map(text::instant),
            attempts: headers.int(names::RETRIES).map(|retries| retries.saturating_add(1)),
            tags: tags(headers),
            args: owned(names::ARGSREPR),
            kwargs: owned(names::KWARGSREPR),
            body_bytes: message.body.len(),
            died,
        }
    }
}

fn tags(headers: &Headers) -> Vec<String> {
    match headers.get(names::TAGS) {
        Some(HeaderValue::List(tags)) => tags.iter().filter_map(HeaderValue::as_text).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The headers as JSON, in their order.
pub(super) fn headers(message: &Message) -> Map<String, Value> {
    message.headers.iter().map(|(name, header)| (name.to_owned(), value(header))).collect()
}

/// A header's value as JSON.
pub(super) fn value(header: &HeaderValue) -> Value {
    match header {
        HeaderValue::Bool(truth) => json!(truth),
        HeaderValue::Int(int) => json!(int),
        HeaderValue::Float(float) => json!(float),
        HeaderValue::Text(text) => json!(text),
        HeaderValue::Bytes(bytes) => json!(String::from_utf8_lossy(bytes)),
        HeaderValue::Timestamp(seconds) => json!(seconds),
        HeaderValue::Decimal { scale, value } => json!(f64::from(*value) / 10_f64.powi(i32::from(*scale))),
        HeaderValue::List(items) => items.iter().map(value).collect(),
        HeaderValue::Table(fields) => fields.iter().map(|(name, field)| (name.clone(), value(field))).collect(),
        _ => Value::Null,
    }
}
