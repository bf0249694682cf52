use std::fmt;

/// A process that holds leases: random, new at each start.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(Box<str>);

impl ProcessId {
    /// 96 random bits.
    pub fn random() -> Self {
        Self(format!("{:016x}{:08x}", rand::random::<u64>(), rand::random::<u32>()).into())
    }

    /// As it is written in keys and channels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ProcessId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One attempt to hold one lock.
///
/// It is new for every attempt and never a task's id: a message that is delivered twice would otherwise be let in beside its own
/// first copy, which is still running.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(Box<str>);

impl LeaseId {
    /// The `number`th attempt of `process`.
    pub fn numbered(process: &ProcessId, number: u64) -> Self {
        Self(format!("{process}.{number:x}").into())
    }

    /// As it is written in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for LeaseId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for LeaseId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
