//! Properties and headers as bytes. Exact for every value, which JSON is not for floats, and cheap to read.

use std::borrow::Cow;

use crate::{HeaderValue, Headers, Message, Properties, message::names};

/// Names that are written as one byte. Files hold their positions: append, never reorder.
const NAMES: &[&str] = &[
    names::LANG,
    names::TASK,
    names::ID,
    names::SHADOW,
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
    names::ORIGIN,
    names::IGNORE_RESULT,
    names::REPLACED_TASK_NESTING,
    names::STAMPED_HEADERS,
    names::STAMPS,
    names::COMPRESSION,
    names::PUBLISHED_AT,
    names::READY_AT,
    names::DEADLINE,
    names::DELIVERIES,
    names::DEFERRALS,
    names::PREVIOUS_DELAY,
    names::TAGS,
    names::DEAD_REASON,
    names::DEAD_ERROR,
    names::DEAD_AT,
    names::DEAD_QUEUE,
];

/// Text that is common enough not to be allocated when it is read.
const TEXTS: &[&str] = &["application/json", "utf-8", "rust", "py", "()", ""];

const VERSION: u8 = 1;

/// Deeper tables than anybody sends; a damaged file must not overflow the stack.
const MAX_DEPTH: usize = 64;

pub(super) fn encode(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    let properties = &message.properties;
    out.push(VERSION);
    optional(&mut out, properties.content_type.as_deref());
    optional(&mut out, properties.content_encoding.as_deref());
    optional(&mut out, properties.correlation_id.as_deref());
    optional(&mut out, properties.reply_to.as_deref());
    optional(&mut out, properties.expiration.as_deref());
    match properties.priority {
        None => out.push(0),
        Some(priority) => out.extend([1, priority]),
    }
    number(&mut out, message.headers.iter().count() as u64);
    // Most tables are written in the order of `NAMES`, so the search goes on where it last succeeded.
    let mut next = 0;
    for (name, value) in message.headers.iter() {
        let known = NAMES[next..].iter().position(|known| *known == name).map(|found| next + found);
        let known = known.or_else(|| NAMES[..next].iter().position(|known| *known == name));
        if let Some(index) = known {
            number(&mut out, (index as u64) << 1 | 1);
            next = index;
        } else {
            number(&mut out, (name.len() as u64) << 1);
            out.extend(name.as_bytes());
        }
        put(&mut out, value);
    }
    out
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend(bytes);
}

fn optional(out: &mut Vec<u8>, text: Option<&str>) {
    out.push(u8::from(text.is_some()));
    if let Some(text) = text {
        bytes(out, text.as_bytes());
    }
}

fn put(out: &mut Vec<u8>, value: &HeaderValue) {
    match value {
        HeaderValue::Null => out.push(b'n'),
        HeaderValue::Bool(false) => out.push(b'f'),
        HeaderValue::Bool(true) => out.push(b't'),
        HeaderValue::Int(int) => {
            out.push(b'i');
            out.extend(int.to_le_bytes());
        }
        HeaderValue::Float(float) => {
            out.push(b'd');
            out.extend(float.to_le_bytes());
        }
        HeaderValue::Text(text) => {
            out.push(b's');
            bytes(out, text.as_bytes());
        }
        HeaderValue::Bytes(raw) => {
            out.push(b'x');
            bytes(out, raw);
        }
        HeaderValue::Timestamp(seconds) => {
            out.push(b'T');
            out.extend(seconds.to_le_bytes());
        }
        HeaderValue::Decimal { scale, value } => {
            out.extend([b'D', *scale]);
            out.extend(value.to_le_bytes());
        }
        HeaderValue::List(values) => {
            out.push(b'A');
            number(out, values.len() as u64);
            for value in values {
                put(out, value);
            }
        }
        HeaderValue::Table(entries) => {
            out.push(b'F');
            number(out, entries.len() as u64);
            for (name, value) in entries {
                bytes(out, name.as_bytes());
                put(out, value);
            }
        }
    }
}

/// `None` where the bytes were not written by [`encode`].
pub(super) fn decode(head: &[u8]) -> Option<(Properties, Headers)> {
    let mut reader = Reader(head);
    if reader.byte()? != VERSION {
        return None;
    }
    let properties = Properties {
        content_type: reader.optional()?,
        content_encoding: reader.optional()?,
        correlation_id: reader.optional()?.map(Cow::into_owned),
        reply_to: reader.optional()?.map(Cow::into_owned),
        expiration: reader.optional()?.map(Cow::into_owned),
        priority: match reader.byte()? {
            0 => None,
            _ => Some(reader.byte()?),
        },
    };
    let count = reader.count()?;
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let code = reader.number()?;
        let name = if code & 1 == 1 {
            Cow::Borrowed(*NAMES.get(usize::try_from(code >> 1).ok()?)?)
        } else {
            Cow::Owned(text(reader.take(usize::try_from(code >> 1).ok()?)?)?.to_owned())
        };
        headers.push((name, reader.value(MAX_DEPTH)?));
    }
    Some((properties, headers.into_iter().collect()))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn shared(text: &str) -> Cow<'static, str> {
    match TEXTS.iter().find(|known| **known == text) {
        Some(known) => Cow::Borrowed(*known),
        None => Cow::Owned(text.to_owned()),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number of things that follow; each takes at least one byte, so a damaged one reserves no memory.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.0.len())
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }

    #[allow(clippy::option_option, reason = "the outer one is the end of the bytes, the inner one the value's")]
    fn optional(&mut self) -> Option<Option<Cow<'static, str>>> {
        Some(match self.byte()? {
            0 => None,
            _ => Some(shared(text(self.bytes()?)?)),
        })
    }

    fn value(&mut self, depth: usize) -> Option<HeaderValue> {
        let depth = depth.checked_sub(1)?;
        Some(match self.byte()? {
            b'n' => HeaderValue::Null,
            b'f' => HeaderValue::Bool(false),
            b't' => HeaderValue::Bool(true),
            b'i' => HeaderValue::Int(i64::from_le_bytes(self.array()?)),
            b'd' => HeaderValue::Float(f64::from_le_bytes(self.array()?)),
            b's' => HeaderValue::Text(shared(text(self.bytes()?)?)),
            b'x' => HeaderValue::Bytes(self.bytes()?.to_vec()),
            b'T' => HeaderValue::Timestamp(u64::from_le_bytes(self.array()?)),
            b'D' => HeaderValue::Decimal { scale: self.byte()?, value: u32::from_le_bytes(self.array()?) },
            b'A' => {
                let count = self.count()?;
                HeaderValue::List((0..count).map(|_| self.value(depth)).collect::<Option<_>>()?)
            }
            b'F' => {
                let count = self.count()?;
                let entry = |_| Some((text(self.bytes()?)?.to_owned(), self.value(depth)?));
                HeaderValue::Table((0..count).map(entry).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }
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
            any::<f64>().prop_map(HeaderValue::Float),
            any::<String>().prop_map(HeaderValue::from),
            any::<Vec<u8>>().prop_map(HeaderValue::Bytes),
            any::<u64>().prop_map(HeaderValue::Timestamp),
            any::<(u8, u32)>().prop_map(|(scale, value)| HeaderValue::Decimal { scale, value }),
        ];
        leaf.prop_recursive(4, 32, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(HeaderValue::List),
                prop::collection::vec((any::<String>(), inner), 0..8).prop_map(HeaderValue::Table),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_table_survives(
            headers in prop::collection::vec((any::<String>(), value()), 0..40),
            known in prop::sample::subsequence(NAMES, 0..NAMES.len()),
            priority: Option<u8>,
            content_type: Option<String>,
            correlation_id: Option<String>,
        ) {
            let known = known.into_iter().map(|name| (Cow::Borrowed(name), HeaderValue::from("known")));
            let headers: Headers = headers.into_iter().map(|(name, value)| (Cow::Owned(name), value)).chain(known).collect();
            let content_type = content_type.map(Cow::Owned);
            let properties = Properties { content_type, priority, correlation_id, ..Properties::default() };
            let message = Message::new(properties, headers, Vec::new());
            let (properties, headers) = decode(&encode(&message)).unwrap();
            // Debug text, since a NaN equals nothing.
            prop_assert_eq!(format!("{:?}", (properties, headers)), format!("{:?}", (message.properties, message.headers)));
        }

        #[test]
        fn damaged_bytes_do_no_harm(bytes: Vec<u8>, cut in 0_usize..600) {
            let _ = decode(&bytes);
            let mut message = Message::default();
            message.headers.set(names::TAGS, HeaderValue::List(vec![HeaderValue::Null; 500]));
            let head = encode(&message);
            let _ = decode(&head[..cut.min(head.len())]);
        }
    }

    #[test]
    fn floats_are_exact() {
        for float in [f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 0.1 + 0.2] {
            let mut message = Message::default();
            message.headers.set("float", float);
            let (_, headers) = decode(&encode(&message)).unwrap();
            let Some(HeaderValue::Float(read)) = headers.get("float") else { panic!("no float") };
            assert_eq!(read.to_bits(), float.to_bits());
        }
    }
}
