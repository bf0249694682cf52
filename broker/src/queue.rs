//! Queues: named places for messages.

use std::{fmt, sync::Arc, time::Duration};

use crate::error::Error;

/// The name of a queue: 1 to 199 bytes, no control characters, no `*` or `#`.
///
/// The bound is what a delayed copy's routing key leaves of AMQP's 255 bytes; `*` and `#` are wildcards there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 199;

    /// Checks a name.
    ///
    /// # Errors
    /// [`Error::InvalidQueueName`].
    pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
        let name = name.as_ref();
        let fault = if name.is_empty() {
            Some("it is empty".to_owned())
        } else if name.len() > Self::MAX_LEN {
            Some(format!(
                "it has {} bytes, and a delayed message's routing key leaves room for {}",
                name.len(),
                Self::MAX_LEN
            ))
        } else if name.chars().any(|c| c.is_control() || c == '*' || c == '#') {
            Some("it has a control character, `*` or `#`".to_owned())
        } else {
            None
        };
        match fault {
            Some(fault) => Err(Error::InvalidQueueName { name: name.chars().take(80).collect(), fault }),
            None => Ok(Self(Arc::from(name))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its dead letter queue: `<queue>.dead`.
    ///
    /// # Errors
    /// [`Error::InvalidQueueName`] where the suffix makes it too long.
    pub fn dead(&self) -> Result<Self, Error> {
        Self::new(format!("{self}.dead"))
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// How RabbitMQ keeps a queue; SQLite has one kind and ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueueKind {
    /// Replicated, on disk; the default.
    #[default]
    Quorum,
    /// On one node.
    Classic,
}

/// A queue as it is to be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Quorum or classic. Default: quorum.
    pub kind: QueueKind,
    /// Whether messages of higher priority are delivered first. Default: no, except on SQLite, where they always are.
    pub priorities: bool,
    /// Whether it is declared exactly as Celery declares it by default: classic, durable, no arguments.
    pub shared_with_celery: bool,
}

impl Queue {
    /// A quorum queue of that name, with a dead letter queue beside it.
    ///
    /// # Errors
    /// [`Error::InvalidQueueName`]; also where `<name>.dead` would be too long.
    pub fn new(name: impl AsRef<str>) -> Result<Self, Error> {
        let name = QueueName::new(name)?;
        name.dead()?;
        Ok(Self { name, kind: QueueKind::Quorum, priorities: false, shared_with_celery: false })
    }

    /// A queue that Celery producers or workers use too, declared with exactly what Celery declares.
    ///
    /// # Errors
    /// As [`Queue::new`].
    pub fn shared_with_celery(name: impl AsRef<str>) -> Result<Self, Error> {
        Ok(Self { kind: QueueKind::Classic, shared_with_celery: true, ..Self::new(name)? })
    }

    /// A classic queue instead of a quorum queue.
    pub fn classic(mut self) -> Self {
        self.kind = QueueKind::Classic;
        self
    }

    /// Delivers messages of higher priority first.
    pub fn with_priorities(mut self) -> Self {
        self.priorities = true;
        self
    }
}

/// What can be known of a queue. What is `None` cannot be known over this transport; it is never shown as 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueInfo {
    /// Its name.
    pub name: QueueName,
    /// Messages that could be delivered now.
    pub ready: Option<u64>,
    /// Messages whose time has not come.
    pub delayed: Option<u64>,
    /// Messages delivered and not yet settled.
    pub running: Option<u64>,
    /// Consumers, over all processes.
    pub consumers: Option<u64>,
    /// How long the oldest ready message has been ready.
    pub oldest: Option<Duration>,
    /// `quorum`, `classic`, `sqlite`, `memory`.
    pub kind: Option<String>,
}

impl QueueInfo {
    /// Nothing known but the name.
    pub fn unknown(name: QueueName) -> Self {
        Self { name, ready: None, delayed: None, running: None, consumers: None, oldest: None, kind: None }
    }
}
