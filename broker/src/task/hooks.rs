use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::{Broker, QueueName, Reason, TaskId};

/// What happened to an attempt, as a family's hooks see it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The task's name.
    pub task: &'a str,
    /// The task's id.
    pub id: &'a TaskId,
    /// The queue it came from.
    pub queue: &'a QueueName,
    /// The attempt that failed, from 1.
    pub attempt: u32,
    /// The bound arguments by name, secrets included: do not log them.
    pub arguments: &'a Map<String, Value>,
    /// Why it failed.
    pub reason: Reason,
    /// The failure as text.
    pub error: &'a str,
    /// To publish from the hook.
    pub broker: &'a Broker,
}

impl<'a> Event<'a> {
    /// Puts an event together; called by workers.
    #[allow(clippy::too_many_arguments, reason = "one argument per field, named at the only call")]
    pub fn new(
        task: &'a str,
        id: &'a TaskId,
        queue: &'a QueueName,
        attempt: u32,
        arguments: &'a Map<String, Value>,
        reason: Reason,
        error: &'a str,
        broker: &'a Broker,
    ) -> Self {
        Self { task, id, queue, attempt, arguments, reason, error, broker }
    }
}

/// What a family of tasks does around failure; named in its [`TaskOptions`](crate::TaskOptions).
///
/// A hook runs before the message is settled, so what it publishes is safe with the broker before the message is gone;
/// after a crash between the two it runs again.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// After a failed attempt that will be retried.
    async fn on_retry(&self, _event: Event<'_>) {}
    /// After every failed attempt.
    async fn on_failure(&self, _event: Event<'_>) {}
    /// When no attempt is left, or none would help, before the message becomes a dead letter.
    async fn on_exhausted(&self, _event: Event<'_>) {}
}
