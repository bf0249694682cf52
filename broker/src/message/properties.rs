use std::borrow::Cow;

/// The AMQP properties that the protocol uses.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Properties {
    /// `application/json` in all that we publish.
    pub content_type: Option<Cow<'static, str>>,
    /// `utf-8` in all that we publish.
    pub content_encoding: Option<Cow<'static, str>>,
    /// 0 (lowest) to 255; we publish 0 to 9.
    pub priority: Option<u8>,
    /// The task's id.
    pub correlation_id: Option<String>,
    /// Where Celery's `rpc://` results go.
    pub reply_to: Option<String>,
    /// Milliseconds after which the broker drops the message. Read from foreign messages, never written by us.
    pub expiration: Option<String>,
}
