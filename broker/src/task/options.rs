use std::{fmt, time::Duration};

use super::Hooks;
use crate::retry::RetryPolicy;

/// Where a task is published, its limits, and how it is retried.
///
/// Every field may be unset; what is unset falls back to the family's defaults
/// ([`or`](Self::or)), the queue's, and then the documented default. All methods are `const`,
/// so that a family's options can be a constant.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct TaskOptions {
    /// The queue it is published to. Default: [`TaskOptions::DEFAULT_QUEUE`].
    pub queue: Option<&'static str>,
    /// How often and when it is tried again. Default: [`RetryPolicy::DEFAULT`].
    pub retry: Option<RetryPolicy>,
    /// When a run is asked to stop. Default: never.
    pub soft_time_limit: Option<Duration>,
    /// When a run is stopped. Default: never.
    pub time_limit: Option<Duration>,
    /// Total time from publishing after which no attempt is started. Default: none.
    pub deadline: Option<Duration>,
    /// How long after publishing it is worth running. Default: always.
    pub expires: Option<Duration>,
    /// 0 (lowest) to 9. Default: 0.
    pub priority: Option<u8>,
    /// Whether the message is acknowledged before the run: at most once instead of at least once. Default: no.
    pub early_ack: Option<bool>,
    /// What runs around failures.
    pub hooks: Option<&'static dyn Hooks>,
}

impl TaskOptions {
    /// The queue of tasks that name none.
    pub const DEFAULT_QUEUE: &'static str = "celeriac";

    /// Nothing set.
    pub const fn new() -> Self {
        Self {
            queue: None,
            retry: None,
            soft_time_limit: None,
            time_limit: None,
            deadline: None,
            expires: None,
            priority: None,
            early_ack: None,
            hooks: None,
        }
    }

    /// Publishes to `queue`.
    pub const fn queue(mut self, queue: &'static str) -> Self {
        self.queue = Some(queue);
        self
    }

    /// Retries by `policy`.
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Asks a run to stop after `limit`.
    pub const fn soft_time_limit(mut self, limit: Duration) -> Self {
        self.soft_time_limit = Some(limit);
        self
    }

    /// Stops a run after `limit`.
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Starts no attempt later than `total` after publishing.
    pub const fn deadline(mut self, total: Duration) -> Self {
        self.deadline = Some(total);
        self
    }

    /// Gives up on messages older than `age` that have not started.
    pub const fn expires(mut self, age: Duration) -> Self {
        self.expires = Some(age);
        self
    }

    /// Publishes with `priority`, 0 (lowest) to 9.
    pub const fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Acknowledges before the run: at most once.
    pub const fn early_ack(mut self, early: bool) -> Self {
        self.early_ack = Some(early);
        self
    }

    /// Runs `hooks` around failures.
    pub const fn hooks(mut self, hooks: &'static dyn Hooks) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// These options, and `defaults` where one is unset.
    pub fn or(self, defaults: Self) -> Self {
        Self {
            queue: self.queue.or(defaults.queue),
            retry: self.retry.or(defaults.retry),
            soft_time_limit: self.soft_time_limit.or(defaults.soft_time_limit),
            time_limit: self.time_limit.or(defaults.time_limit),
            deadline: self.deadline.or(defaults.deadline),
            expires: self.expires.or(defaults.expires),
            priority: self.priority.or(defaults.priority),
            early_ack: self.early_ack.or(defaults.early_ack),
            hooks: self.hooks.or(defaults.hooks),
        }
    }
}

impl fmt::Debug for TaskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskOptions")
            .field("queue", &self.queue)
            .field("retry", &self.retry)
            .field("soft_time_limit", &self.soft_time_limit)
            .field("time_limit", &self.time_limit)
            .field("deadline", &self.deadline)
            .field("expires", &self.expires)
            .field("priority", &self.priority)
            .field("early_ack", &self.early_ack)
            .field("hooks", &self.hooks.map(|_| ".."))
            .finish()
    }
}
