use std::{convert::Infallible, fmt, str::FromStr};

use super::{HeaderValue, Headers, bounds::truncated, names};

/// Short texts by which people find what belongs together, in logs, traces and reports: `company=eu-7`, or a word alone.
///
/// They are bounded: at most [`MAX`](Self::MAX) tags, keys of at most [`MAX_KEY_LEN`](Self::MAX_KEY_LEN) bytes, values of at most
/// [`MAX_VALUE_LEN`](Self::MAX_VALUE_LEN). What is longer is cut; what is more is left out.
///
/// As text they stand in one line, apart by spaces; a value with a space in it stands in quotes, as in JSON.
///
/// ```
/// use celeriac_broker::message::Tags;
///
/// let mut tags = Tags::default();
/// tags.set("company", Some("eu-7"));
/// tags.set("note", Some("two words"));
/// tags.set("urgent", None);
/// assert_eq!(tags.to_string(), r#"company=eu-7 note="two words" urgent"#);
/// assert_eq!(tags.to_string().parse(), Ok(tags));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(Vec<(String, Option<String>)>);

impl Tags {
    /// The most tags there are: 16.
    pub const MAX: usize = 16;
    /// The longest key, in bytes: 64.
    pub const MAX_KEY_LEN: usize = 64;
    /// The longest value, in bytes: 200.
    pub const MAX_VALUE_LEN: usize = 200;

    /// The tags of a message.
    pub fn read(headers: &Headers) -> Self {
        let mut tags = Self::default();
        if let Some(HeaderValue::List(texts)) = headers.get(names::TAGS) {
            for text in texts.iter().filter_map(HeaderValue::as_text) {
                match text.split_once('=') {
                    Some((key, value)) => tags.set(key, Some(value)),
                    None => tags.set(text, None),
                };
            }
        }
        tags
    }

    /// Sets a tag, in its old place where it had one; `false` where there is no room for one more, or the key is empty.
    ///
    /// Spaces, quotes and `=` in a key become `_`.
    pub fn set(&mut self, key: &str, value: Option<&str>) -> bool {
        let key = clean(key);
        let value = value.map(|value| truncated(value, Self::MAX_VALUE_LEN).to_owned());
        if let Some(slot) = self.0.iter_mut().find(|(known, _)| *known == key) {
            slot.1 = value;
            return true;
        }
        let room = !key.is_empty() && self.0.len() < Self::MAX;
        if room {
            self.0.push((key, value));
        }
        room
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every tag, in order; a word alone has no value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }
}

/// A key of which its place in the text leaves no doubt.
fn clean(key: &str) -> String {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '=' | '"');
    truncated(key, Tags::MAX_KEY_LEN).replace(odd, "_")
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '=' | '"' | '\\'))
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " " })?;
            f.write_str(key)?;
            match value {
                None => {}
                Some(value) if is_plain(value) => write!(f, "={value}")?,
                Some(value) => write!(f, "={}", serde_json::Value::from(value))?,
            }
        }
        Ok(())
    }
}

impl FromStr for Tags {
    type Err = Infallible;

    /// Reads what `Display` has written.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut tags = Self::default();
        let mut rest = text.trim_start();
        while let Some(end) =
            rest.find(|c: char| c == '=' || c.is_whitespace()).or((!rest.is_empty()).then_some(rest.len()))
        {
            let key = &rest[..end];
            rest = &rest[end..];
            let Some(value) = rest.strip_prefix('=') else {
                tags.set(key, None);
                rest = rest.trim_start();
                continue;
            };
            let mut quoted = serde_json::Deserializer::from_str(value).into_iter::<String>();
            if value.starts_with('"')
                && let Some(Ok(unquoted)) = quoted.next()
            {
                tags.set(key, Some(&unquoted));
                rest = &value[quoted.byte_offset()..];
            } else {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                tags.set(key, Some(&value[..end]));
                rest = &value[end..];
            }
            rest = rest.trim_start();
        }
        Ok(tags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tags_survive_their_text(tags in prop::collection::vec((".{0,70}", prop::option::of(".{0,210}")), 0..20)) {
            let mut made = Tags::default();
            for (key, value) in &tags {
                made.set(key, value.as_deref());
            }
            prop_assert!(made.iter().count() <= Tags::MAX);
            let text = made.to_string();
            prop_assert!(!text.contains(|c| c < ' '), "{text:?} is one line");
            prop_assert_eq!(text.parse(), Ok(made));
        }
    }

    #[test]
    fn a_message_has_the_tags_of_its_header() {
        let texts = ["company=eu-7", "urgent", "note=a=b", "company=us-1"].map(HeaderValue::from);
        let mut headers = Headers::default();
        headers.set(names::TAGS, HeaderValue::List(texts.to_vec()));
        assert_eq!(Tags::read(&headers).to_string(), r#"company=us-1 urgent note="a=b""#);
    }
}
