use std::{error::Error as StdError, fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// What a handler returns when it fails.
///
/// `?` turns any error into one that is retried by the task's policy. [`permanent`](Self::permanent) and
/// [`retry_after`](Self::retry_after) say otherwise. It serialises: kind, message and the chain of causes as text.
///
/// Like `anyhow::Error`, it does not implement [`std::error::Error`] itself; that is what lets `?` take any error.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    kind: String,
    message: String,
    causes: Vec<String>,
    disposition: Disposition,
}

/// What is to happen after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Disposition {
    /// Another attempt, after the delay that the retry policy says.
    #[default]
    Retry,
    /// Another attempt, after this delay; still counted by the retry policy.
    RetryAfter(Duration),
    /// No other attempt: a dead letter now.
    Permanent,
    /// The same attempt after this delay: nothing failed, it is only too early. At most the 300 days that a broker can hold.
    Defer(Duration),
}

impl TaskError {
    /// A failure that another attempt may mend.
    pub fn new(message: impl fmt::Display) -> Self {
        Self {
            kind: "TaskError".into(),
            message: message.to_string(),
            causes: Vec::new(),
            disposition: Disposition::Retry,
        }
    }

    /// A failure that no other attempt can mend: the message goes to the dead letter queue now.
    pub fn permanent(error: impl Into<Self>) -> Self {
        Self { disposition: Disposition::Permanent, ..error.into() }
    }

    /// A failure to be tried again after `delay` instead of the policy's; for servers that say `Retry-After`.
    pub fn retry_after(error: impl Into<Self>, delay: Duration) -> Self {
        Self { disposition: Disposition::RetryAfter(delay), ..error.into() }
    }

    /// No failure: the same attempt again after `delay`, nothing counted by the retry policy. What keeps it from coming back for
    /// ever is the task's deadline, or its `expires`.
    pub fn defer(why: impl Into<Self>, delay: Duration) -> Self {
        Self { disposition: Disposition::Defer(delay), ..why.into() }
    }

    /// The name of the error's type, without its path; `TaskError` where only a text was given.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The error's own text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The texts of what caused it, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What is to happen next.
    pub fn disposition(&self) -> Disposition {
        self.disposition
    }
}

impl<E: StdError> From<E> for TaskError {
    fn from(error: E) -> Self {
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { kind: type_name::<E>(), message: error.to_string(), causes, disposition: Disposition::Retry }
    }
}

/// The last segment of a type's path; its generic arguments are left out.
fn type_name<T>() -> String {
    let path = std::any::type_name::<T>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path).trim_start_matches('&').to_owned()
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", self.kind)
    }
}
