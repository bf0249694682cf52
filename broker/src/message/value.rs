use std::borrow::Cow;

/// A value of a header table: what AMQP has, so that a foreign header survives a copy unchanged.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum HeaderValue {
    /// No value.
    #[serde(rename = "n")]
    Null,
    /// True or false.
    #[serde(rename = "t")]
    Bool(bool),
    /// An integer of any width.
    #[serde(rename = "i")]
    Int(i64),
    /// A floating point number.
    #[serde(rename = "d")]
    Float(f64),
    /// Text.
    #[serde(rename = "s")]
    Text(Cow<'static, str>),
    /// Bytes, or text that is not UTF-8.
    #[serde(rename = "x")]
    Bytes(Vec<u8>),
    /// Seconds since 1970.
    #[serde(rename = "T")]
    Timestamp(u64),
    /// `value / 10^scale`.
    #[serde(rename = "D")]
    Decimal {
        /// Digits after the point.
        scale: u8,
        /// The digits.
        value: u32,
    },
    /// A list.
    #[serde(rename = "A")]
    List(Vec<Self>),
    /// A table, in its order.
    #[serde(rename = "F")]
    Table(Vec<(String, Self)>),
}

impl HeaderValue {
    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, where it is an integer, or a float without a fraction.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            #[allow(clippy::cast_possible_truncation, reason = "the guard admits only integers that fit")]
            Self::Float(float) if float.fract() == 0.0 && float.abs() < 9e15 => Some(*float as i64),
            _ => None,
        }
    }

    /// The number, where it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "seconds and counts, far below 2^52")]
            Self::Int(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            Self::Decimal { scale, value } => Some(f64::from(*value) / 10_f64.powi(i32::from(*scale))),
            _ => None,
        }
    }

    /// How many bytes it takes in an AMQP header table, its kind's byte included.
    pub(crate) fn wire_size(&self) -> usize {
        1 + match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Float(_) | Self::Timestamp(_) => 8,
            Self::Decimal { .. } => 5,
            Self::Text(text) => 4 + text.len(),
            Self::Bytes(bytes) => 4 + bytes.len(),
            Self::List(values) => 4 + values.iter().map(Self::wire_size).sum::<usize>(),
            Self::Table(entries) => {
                4 + entries.iter().map(|(name, value)| 1 + name.len() + value.wire_size()).sum::<usize>()
            }
        }
    }
}

impl From<&'static str> for HeaderValue {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for HeaderValue {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<bool> for HeaderValue {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for HeaderValue {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<u32> for HeaderValue {
    fn from(int: u32) -> Self {
        Self::Int(int.into())
    }
}

impl From<f64> for HeaderValue {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl<T: Into<Self>> From<Option<T>> for HeaderValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
