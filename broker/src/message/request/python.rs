//! Arguments as Python's `repr` shows them; for people, never parsed.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Arg;

/// The longest text, in characters; Celery's own bound.
const MAX_CHARS: usize = 1024;

/// `{'x': 2, 'token': '***'}`: the keyword arguments, secrets masked, cut at 1,024 characters.
pub(crate) fn kwargs_repr(kwargs: &Map<String, Value>, parameters: &[Arg]) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in kwargs.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        string(&mut text, name);
        text.push_str(": ");
        if parameters.iter().any(|parameter| parameter.secret && parameter.name == name) {
            text.push_str("'***'");
        } else {
            repr(&mut text, value);
        }
        if text.len() > MAX_CHARS * 4 {
            break;
        }
    }
    text.push('}');
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => text[..end].to_owned() + "...",
        None => text,
    }
}

fn repr(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("None"),
        Value::Bool(true) => text.push_str("True"),
        Value::Bool(false) => text.push_str("False"),
        // Writing to a String does not fail.
        Value::Number(number) => drop(write!(text, "{number}")),
        Value::String(value) => string(text, value),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                repr(text, value);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (index, (name, value)) in entries.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                string(text, name);
                text.push_str(": ");
                repr(text, value);
            }
            text.push('}');
        }
    }
}

/// Single quotes, unless only they occur inside.
fn string(text: &mut String, value: &str) {
    let quote = if value.contains('\'') && !value.contains('"') { '"' } else { '\'' };
    text.push(quote);
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            character if character == quote => {
                text.push('\\');
                text.push(character);
            }
            character if character.is_control() => drop(write!(text, "\\x{:02x}", u32::from(character))),
            character => text.push(character),
        }
    }
    text.push(quote);
}
