//! Captured messages, as data.

use celeriac_broker::{HeaderValue, Headers, Message, Properties};
use serde_json::Value;

/// The message of `celery-samples/<name>.json`.
pub(crate) fn sample(name: &str) -> Message {
    let path = format!("{}/tests/celery-samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    message(&serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
}

/// The names of all of them.
pub(crate) fn names() -> Vec<String> {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/celery-samples")).unwrap();
    folder.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

fn message(sample: &Value) -> Message {
    let given = &sample["properties"];
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let mut properties = Properties::default();
    properties.content_type = text("content_type").map(Into::into);
    properties.content_encoding = text("content_encoding").map(Into::into);
    properties.priority = given["priority"].as_u64().and_then(|priority| u8::try_from(priority).ok());
    properties.correlation_id = text("correlation_id");
    properties.reply_to = text("reply_to");
    properties.expiration = text("expiration");
    let headers: Headers = given["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone().into(), header(value)))
        .collect();
    Message::new(properties, headers, sample["body_raw"].as_str().unwrap().to_owned())
}

/// As py-amqp writes it.
fn header(value: &Value) -> HeaderValue {
    match value {
        Value::Null => HeaderValue::Null,
        Value::Bool(truth) => HeaderValue::Bool(*truth),
        Value::Number(number) => number.as_i64().map_or_else(|| number.as_f64().unwrap().into(), HeaderValue::Int),
        Value::String(text) => text.clone().into(),
        Value::Array(values) => HeaderValue::List(values.iter().map(header).collect()),
        Value::Object(entries) => {
            HeaderValue::Table(entries.iter().map(|(name, value)| (name.clone(), header(value))).collect())
        }
    }
}
