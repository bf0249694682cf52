//! Header tables and properties, to AMQP's types and back, without loss.

use std::borrow::Cow;

use lapin::{
    BasicProperties,
    types::{AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString},
};

use crate::{HeaderValue, Headers, Message, Properties, message::names};

/// Persistent: the broker writes the message to disk before it confirms.
const PERSISTENT: u8 = 2;

/// Why a message can't be written as AMQP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    #[error("the header name {0:?} has more than 255 bytes")]
    HeaderName(String),
    #[error("its headers take {size} bytes, and this broker's frames hold {limit}")]
    HeadersTooLarge { size: usize, limit: usize },
}

/// Writes properties and headers.
///
/// `expiration` is left out whatever the message says: on a delayed copy the broker would take the lower of two times and
/// deliver early, on a work queue it would drop what should be reported as expired.
pub(super) fn properties(message: &Message, frame_max: u32) -> Result<BasicProperties, Unwritable> {
    let mut size = 0;
    let mut table = FieldTable::default();
    for (name, value) in message.headers.iter() {
        size += 1 + name.len() + size_of(value);
        let name = ShortString::try_new(name).map_err(|_| Unwritable::HeaderName(name.chars().take(80).collect()))?;
        table.insert(name, to_amqp(value));
    }
    // A header table travels in one frame; 2 KiB are far more than the other properties and the frame itself take.
    let limit = usize::try_from(frame_max).unwrap_or(usize::MAX).saturating_sub(2048);
    if size > limit {
        return Err(Unwritable::HeadersTooLarge { size, limit });
    }
    let from = &message.properties;
    let mut properties = BasicProperties::default().with_headers(table).with_delivery_mode(PERSISTENT);
    if let Some(text) = short(from.content_type.as_deref()) {
        properties = properties.with_content_type(text);
    }
    if let Some(text) = short(from.content_encoding.as_deref()) {
        properties = properties.with_content_encoding(text);
    }
    if let Some(priority) = from.priority {
        properties = properties.with_priority(priority);
    }
    if let Some(text) = short(from.correlation_id.as_deref()) {
        properties = properties.with_correlation_id(text);
    }
    if let Some(text) = short(from.reply_to.as_deref()) {
        properties = properties.with_reply_to(text);
    }
    Ok(properties)
}

/// Properties are short strings. A caller's id may be longer: the header `id`, which is a long one, still has it.
fn short(text: Option<&str>) -> Option<ShortString> {
    text.and_then(|text| ShortString::try_new(text).ok())
}

/// Reads a message.
pub(super) fn message(properties: &BasicProperties, body: Vec<u8>) -> Message {
    let text = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
    let headers: Headers = properties
        .headers()
        .iter()
        .flat_map(FieldTable::inner)
        .map(|(name, value)| (names::interned(name.as_str()), from_amqp(value)))
        .collect();
    let properties = Properties {
        content_type: text(properties.content_type()).map(Cow::Owned),
        content_encoding: text(properties.content_encoding()).map(Cow::Owned),
        priority: *properties.priority(),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        expiration: text(properties.expiration()),
    };
    Message::new(properties, headers, body)
}

fn to_amqp(value: &HeaderValue) -> AMQPValue {
    match value {
        HeaderValue::Null => AMQPValue::Void,
        HeaderValue::Bool(truth) => AMQPValue::Boolean(*truth),
        // As py-amqp does: the narrower of the two that it reads and writes itself.
        HeaderValue::Int(int) => i32::try_from(*int).map_or(AMQPValue::LongLongInt(*int), AMQPValue::LongInt),
        HeaderValue::Float(float) => AMQPValue::Double(*float),
        HeaderValue::Text(text) => AMQPValue::LongString(LongString::from(text.as_bytes())),
        HeaderValue::Bytes(bytes) => AMQPValue::ByteArray(ByteArray::from(bytes.clone())),
        HeaderValue::Timestamp(seconds) => AMQPValue::Timestamp(*seconds),
        HeaderValue::Decimal { scale, value } => AMQPValue::DecimalValue(DecimalValue { scale: *scale, value: *value }),
        HeaderValue::List(values) => {
            AMQPValue::FieldArray(FieldArray::from(values.iter().map(to_amqp).collect::<Vec<_>>()))
        }
        HeaderValue::Table(entries) => {
            let mut table = FieldTable::default();
            for (name, value) in entries {
                // A nested name that is too long can't come from AMQP; it is cut rather than lost.
                let fits = name.char_indices().map(|(start, c)| start + c.len_utf8()).take_while(|end| *end <= 255);
                if let Ok(name) = ShortString::try_new(&name[..fits.last().unwrap_or(0)]) {
                    table.insert(name, to_amqp(value));
                }
            }
            AMQPValue::FieldTable(table)
        }
    }
}

fn from_amqp(value: &AMQPValue) -> HeaderValue {
    match value {
        AMQPValue::Boolean(truth) => HeaderValue::Bool(*truth),
        AMQPValue::ShortShortInt(int) => HeaderValue::Int((*int).into()),
        AMQPValue::ShortShortUInt(int) => HeaderValue::Int((*int).into()),
        AMQPValue::ShortInt(int) => HeaderValue::Int((*int).into()),
        AMQPValue::ShortUInt(int) => HeaderValue::Int((*int).into()),
        AMQPValue::LongInt(int) => HeaderValue::Int((*int).into()),
        AMQPValue::LongUInt(int) => HeaderValue::Int((*int).into()),
        AMQPValue::LongLongInt(int) => HeaderValue::Int(*int),
        AMQPValue::Float(float) => HeaderValue::Float((*float).into()),
        AMQPValue::Double(float) => HeaderValue::Float(*float),
        AMQPValue::DecimalValue(decimal) => HeaderValue::Decimal { scale: decimal.scale, value: decimal.value },
        AMQPValue::ShortString(text) => HeaderValue::Text(Cow::Owned(text.to_string())),
        AMQPValue::LongString(text) => match std::str::from_utf8(text.as_bytes()) {
            Ok(text) => HeaderValue::Text(Cow::Owned(text.to_owned())),
            Err(_) => HeaderValue::Bytes(text.as_bytes().to_vec()),
        },
        AMQPValue::FieldArray(values) => HeaderValue::List(values.as_slice().iter().map(from_amqp).collect()),
        AMQPValue::Timestamp(seconds) => HeaderValue::Timestamp(*seconds),
        AMQPValue::FieldTable(table) => {
            HeaderValue::Table(table.inner().iter().map(|(name, value)| (name.to_string(), from_amqp(value))).collect())
        }
        AMQPValue::ByteArray(bytes) => HeaderValue::Bytes(bytes.as_slice().to_vec()),
        AMQPValue::Void => HeaderValue::Null,
    }
}

/// The bytes that a value takes in a frame, its type's byte included; never too few.
fn size_of(value: &HeaderValue) -> usize {
    match value {
        HeaderValue::Null => 1,
        HeaderValue::Bool(_) => 2,
        HeaderValue::Int(_) | HeaderValue::Float(_) | HeaderValue::Timestamp(_) | HeaderValue::Decimal { .. } => 9,
        HeaderValue::Text(text) => 5 + text.len(),
        HeaderValue::Bytes(bytes) => 5 + bytes.len(),
        HeaderValue::List(values) => 5 + values.iter().map(size_of).sum::<usize>(),
        HeaderValue::Table(entries) => {
            5 + entries.iter().map(|(name, value)| 1 + name.len() + size_of(value)).sum::<usize>()
        }
    }
}

/// Builds the arguments of a declaration.
pub(super) fn arguments<const N: usize>(entries: [(&'static str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(ShortString::from(name), value);
    }
    table
}

/// A text argument of a declaration.
pub(super) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = HeaderValue> {
        let leaf = prop_oneof![
            Just(HeaderValue::Null),
            any::<bool>().prop_map(HeaderValue::Bool),
            any::<i64>().prop_map(HeaderValue::Int),
            (-1e300..1e300).prop_map(HeaderValue::Float),
            ".{0,40}".prop_map(|text| HeaderValue::Text(text.into())),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(HeaderValue::Bytes),
            any::<u64>().prop_map(HeaderValue::Timestamp),
            (any::<u8>(), any::<u32>()).prop_map(|(scale, value)| HeaderValue::Decimal { scale, value }),
        ];
        leaf.prop_recursive(3, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(HeaderValue::List),
                proptest::collection::btree_map("[a-z]{1,8}", inner, 0..5)
                    .prop_map(|table| HeaderValue::Table(table.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_header_value_survives_the_way_to_amqp_and_back(value in value()) {
            prop_assert_eq!(from_amqp(&to_amqp(&value)), value);
        }
    }

    #[test]
    fn expiration_is_read_and_never_written() {
        let foreign = BasicProperties::default().with_expiration("60000".into());
        let message = message(&foreign, Vec::new());
        assert_eq!(message.properties.expiration.as_deref(), Some("60000"));
        let written = properties(&message, 131_072).unwrap();
        assert_eq!(written.expiration(), &None);
    }

    #[test]
    fn headers_that_do_not_fit_a_frame_are_refused_before_they_kill_the_connection() {
        let mut message = Message::default();
        message.headers.set("large", "x".repeat(140_000));
        assert!(
            matches!(properties(&message, 131_072), Err(Unwritable::HeadersTooLarge { size, .. }) if size > 140_000)
        );
        message.headers.set("large", "x".repeat(100_000));
        assert!(properties(&message, 131_072).is_ok());
    }

    #[test]
    fn an_id_longer_than_a_property_holds_is_kept_in_its_header() {
        let mut long = Message::default();
        long.properties.correlation_id = Some("i".repeat(300));
        long.headers.set("id", "i".repeat(300));
        let written = properties(&long, 131_072).unwrap();
        assert_eq!(message(&written, Vec::new()).id().as_str(), "i".repeat(300));
    }
}
