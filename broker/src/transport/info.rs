use crate::transport::Destination;

/// What a transport can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// `amqp`, `sqlite` or `memory`.
    pub name: &'static str,
    /// Whether other machines can reach the same queues.
    pub distributed: bool,
    /// Whether queues can be listed and delayed messages counted without further configuration.
    pub lists_queues: bool,
}

impl Capabilities {
    /// The capabilities of the transport `name`.
    pub const fn new(name: &'static str, distributed: bool, lists_queues: bool) -> Self {
        Self { name, distributed, lists_queues }
    }
}

/// How a declared queue was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Adoption {
    /// As declared.
    AsDeclared,
    /// It existed with other arguments, and is used as it is.
    Adopted {
        /// What is known of the difference, in the broker's words.
        difference: String,
    },
}

/// What to do with a message that was looked at.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// Leave it.
    Keep,
    /// Delete it.
    Delete,
    /// Publish this copy there, then delete the original.
    Move(Box<Destination>, Box<crate::Message>),
    /// Leave this one, and look at no more.
    Stop,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Swept {
    /// Messages looked at.
    pub seen: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Messages moved.
    pub moved: u64,
}

/// Something an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in a word or two.
    pub subject: String,
    /// What was found, and what mends it.
    pub text: String,
}

impl Finding {
    /// A finding.
    pub fn new(severity: Severity, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { severity, subject: subject.into(), text: text.into() }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Fine,
    /// It can't be known from here.
    Unknown,
    /// It works, and will hurt one day.
    Warning,
    /// It does not work.
    Error,
}
