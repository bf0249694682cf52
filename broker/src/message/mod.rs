//! A task as sent, in the Celery message protocol, version 2.

mod bounds;
mod copy;
mod headers;
mod properties;
mod request;
mod tags;
mod trace;
mod value;

pub use headers::{Headers, names};
pub use properties::Properties;
pub use request::{BindError, Bytes, Request, Undecodable};
pub use tags::Tags;
pub use trace::TraceContext;
pub use value::HeaderValue;

pub(crate) use bounds::{MAX_TABLE_BYTES, truncated};
pub(crate) use request::{iso8601, python};

use std::fmt;

use ::bytes::Bytes as Buf;

/// A task as sent: properties, headers and body, all of them kept as they came.
///
/// Whatever a foreign producer wrote survives retries and dead letters, known to us or not.
///
/// Its `Debug` shows the body's size only: there may be secrets in it.
#[derive(Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Message {
    /// AMQP's own properties.
    pub properties: Properties,
    /// The header table.
    pub headers: Headers,
    /// The body's bytes.
    pub body: Buf,
}

impl Message {
    /// A message of these parts.
    pub fn new(properties: Properties, headers: Headers, body: impl Into<Buf>) -> Self {
        Self { properties, headers, body: body.into() }
    }

    /// The task's id as far as it can be told: the header, else the correlation id, else `"?"`.
    pub fn id(&self) -> crate::TaskId {
        let id = self.headers.text(names::ID).or(self.properties.correlation_id.as_deref());
        crate::TaskId::from(id.unwrap_or("?"))
    }

    /// The task's name, where there is one.
    pub fn task(&self) -> Option<&str> {
        self.headers.text(names::TASK)
    }

    /// The priority, 0 to 9; higher ones from foreign producers count as 9.
    pub fn priority(&self) -> u8 {
        self.properties.priority.unwrap_or(0).min(crate::transport::MAX_PRIORITY)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("properties", &self.properties)
            .field("headers", &self.headers)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}
