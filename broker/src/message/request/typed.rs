//! Python values that JSON has no word for, as kombu writes them: `{"__type__": kind, "__value__": value}`.

use serde_json::{Map, Value};

/// Replaces dates, times, UUIDs and decimals, at any depth, by the plain strings that serde reads such types from.
///
/// `bytes` and `base64` stay, for [`Bytes`](crate::message::Bytes), and so does every kind that is not known.
pub(super) fn simplify(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(simplify),
        Value::Object(entries) => match plain(entries) {
            Some(text) => *value = Value::String(text),
            None => entries.values_mut().for_each(simplify),
        },
        _ => {}
    }
}

fn plain(entries: &mut Map<String, Value>) -> Option<String> {
    if entries.len() != 2 {
        return None;
    }
    let kind = entries.get("__type__")?.as_str()?;
    match (kind, entries.get("__value__")?) {
        ("datetime" | "date" | "time" | "decimal", Value::String(text)) => Some(text.clone()),
        ("uuid", Value::Object(parts)) => Some(uuid::Uuid::try_parse(parts.get("hex")?.as_str()?).ok()?.to_string()),
        _ => None,
    }
}
