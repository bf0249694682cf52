//! A message decoded: what a worker needs to know before it runs it.

mod bind;
mod bytes;
mod decode;
pub(crate) mod python;
mod time;
mod typed;

pub use bind::BindError;
pub use bytes::Bytes;
pub use decode::Undecodable;
pub(crate) use time::iso8601;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};

use super::{Tags, TraceContext};
use crate::TaskId;

/// A message decoded.
///
/// Its `Debug` leaves the arguments out: which of them are secret is known only to the task.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The task's id.
    pub id: TaskId,
    /// The task's name on the wire.
    pub task: String,
    /// 1 for the first run. On the wire it is `retries`, one less.
    pub attempt: u32,
    /// Not before. Present on foreign messages; our own wait at the broker.
    pub eta: Option<SystemTime>,
    /// Not after.
    pub expires: Option<SystemTime>,
    /// The message's own hard limit.
    pub time_limit: Option<Duration>,
    /// The message's own soft limit.
    pub soft_time_limit: Option<Duration>,
    /// The id of the task that began it all.
    pub root_id: TaskId,
    /// The id of the task that published it.
    pub parent_id: Option<TaskId>,
    /// When it was first published, where the producer says.
    pub published_at: Option<SystemTime>,
    /// When it was due, where the producer says.
    pub ready_at: Option<SystemTime>,
    /// When its total time is over.
    pub deadline: Option<SystemTime>,
    /// How often it was given back without an attempt being counted.
    pub deferrals: u32,
    /// The delay before this attempt.
    pub previous_delay: Option<Duration>,
    /// The fencing tokens of the leases under which its parent published it, by the addresses of their locks.
    pub fences: Vec<(String, u64)>,
    /// Which trace it belongs to, where somebody says.
    pub trace: Option<TraceContext>,
    /// The tags that it was published with.
    pub tags: Tags,
    /// Positional arguments.
    pub args: Vec<Value>,
    /// Keyword arguments.
    pub kwargs: Map<String, Value>,
    /// Celery's callbacks, errbacks, chain and chord, as they came.
    pub embed: Value,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("task", &self.task)
            .field("attempt", &self.attempt)
            .field("eta", &self.eta)
            .field("expires", &self.expires)
            .field("root_id", &self.root_id)
            .field("parent_id", &self.parent_id)
            .finish_non_exhaustive()
    }
}
