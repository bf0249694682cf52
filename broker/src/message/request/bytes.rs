use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Bytes as an argument, in kombu's form, so that Python sees `bytes`.
///
/// `{"__type__": "bytes", "__value__": "text"}` where they are UTF-8, base64 otherwise; plain text is read too.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
struct Typed<'a> {
    #[serde(rename = "__type__")]
    kind: std::borrow::Cow<'a, str>,
    #[serde(rename = "__value__")]
    value: std::borrow::Cow<'a, str>,
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, value) = match std::str::from_utf8(&self.0) {
            Ok(text) => ("bytes", text.into()),
            Err(_) => ("base64", STANDARD.encode(&self.0).into()),
        };
        Typed { kind: kind.into(), value }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form<'a> {
            Text(String),
            #[serde(borrow)]
            Typed(Typed<'a>),
        }
        match Form::deserialize(deserializer)? {
            Form::Text(text) => Ok(Self(text.into_bytes())),
            Form::Typed(Typed { kind, value }) if kind == "bytes" => Ok(Self(value.into_owned().into_bytes())),
            Form::Typed(Typed { kind, value }) if kind == "base64" => {
                STANDARD.decode(value.as_bytes()).map(Self).map_err(D::Error::custom)
            }
            Form::Typed(Typed { kind, .. }) => Err(D::Error::custom(format!("`__type__` is {kind:?}, not bytes"))),
        }
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}
