//! Header tables have to fit one AMQP frame, 131,072 bytes by default, or publishing them closes the connection.

use super::{HeaderValue, Headers, names};

/// The largest table that is published; the rest of the frame is the properties'.
pub(crate) const MAX_TABLE_BYTES: usize = 120 * 1024;

/// What a text that is only for people is cut to when space is short.
const SHORT: usize = 1024;

/// Makes a foreign table fit: cuts the texts that are only for people, then drops the largest headers that the protocol
/// does not know, and says which.
pub(super) fn fit(headers: &mut Headers) {
    if headers.wire_size() <= MAX_TABLE_BYTES {
        return;
    }
    for name in [names::ARGSREPR, names::KWARGSREPR, names::DEAD_ERROR, names::SHADOW, names::ORIGIN] {
        if let Some(text) = headers.text(name).filter(|text| text.len() > SHORT) {
            let text = truncated(text, SHORT).to_owned();
            headers.set(name, text);
        }
    }
    let mut dropped = Vec::new();
    while headers.wire_size() > MAX_TABLE_BYTES {
        let largest = headers.iter().max_by_key(|(name, value)| (!is_kept(name), value.wire_size()));
        let Some((name, value)) = largest.map(|(name, value)| (name.to_owned(), value)) else { break };
        if let Some(text) = value.as_text().filter(|text| is_kept(&name) && text.len() > SHORT) {
            headers.set(name, truncated(text, SHORT).to_owned());
        } else {
            headers.remove(&name);
            dropped.push(HeaderValue::from(name));
        }
    }
    if !dropped.is_empty() {
        headers.set(names::DROPPED, HeaderValue::List(dropped));
    }
}

/// Whether a worker needs it. Stamps are not among them: they have no bound.
fn is_kept(name: &str) -> bool {
    name.starts_with(names::RESERVED_PREFIX) && name != names::TAGS
        || [
            names::LANG,
            names::TASK,
            names::ID,
            names::ETA,
            names::EXPIRES,
            names::GROUP,
            names::GROUP_INDEX,
            names::RETRIES,
            names::TIMELIMIT,
            names::ROOT_ID,
            names::PARENT_ID,
            names::ARGSREPR,
            names::KWARGSREPR,
            names::IGNORE_RESULT,
            names::COMPRESSION,
            names::TRACEPARENT,
        ]
        .contains(&name)
}

/// The longest prefix of at most `max` bytes, cut between characters.
pub(crate) fn truncated(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
