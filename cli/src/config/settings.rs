use std::{collections::BTreeMap, time::Duration};

use celeriac_broker::{Backoff, Broker, Jitter, Queue, QueueKind, RetryPolicy, TaskOptions};
use celeriac_worker::{Worker, worker::Described};

use super::{Origin, SecretUrls, Sourced};
use crate::{Error, LogFormat};

/// Everything that can be set; what is unset is left to the code.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) broker_url: Option<Sourced<SecretUrls>>,
    pub(crate) management_url: Option<Sourced<SecretUrls>>,
    /// Where leases are kept.
    pub(crate) locks_url: Option<Sourced<SecretUrls>>,
    pub(crate) publish_timeout: Option<Sourced<Duration>>,
    pub(crate) max_message_bytes: Option<Sourced<usize>>,
    pub(crate) shutdown_timeout: Option<Sourced<Duration>>,
    pub(crate) log_format: Option<Sourced<LogFormat>>,
    /// Where a worker serves its metrics and probes.
    pub(crate) metrics_addr: Option<Sourced<String>>,
    /// The queues a worker serves, of those that it has pools for.
    pub(crate) only_queues: Option<Sourced<Vec<String>>>,
    /// Overrides the concurrency of every pool.
    pub(crate) concurrency: Option<Sourced<u16>>,
    /// Overrides the prefetch of every pool.
    pub(crate) prefetch: Option<Sourced<u16>>,
    pub(crate) queues: BTreeMap<String, QueueSettings>,
}

/// What can be set for one queue.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct QueueSettings {
    pub(crate) kind: Option<Sourced<QueueKind>>,
    pub(crate) priorities: Option<Sourced<bool>>,
    pub(crate) shared_with_celery: Option<Sourced<bool>>,
    pub(crate) concurrency: Option<Sourced<u16>>,
    pub(crate) prefetch: Option<Sourced<u16>>,
    pub(crate) soft_time_limit: Option<Sourced<Duration>>,
    pub(crate) time_limit: Option<Sourced<Duration>>,
    pub(crate) deadline: Option<Sourced<Duration>>,
    pub(crate) expires: Option<Sourced<Duration>>,
    pub(crate) priority: Option<Sourced<u8>>,
    pub(crate) max_attempts: Option<Sourced<u32>>,
    pub(crate) backoff: Option<Sourced<Backoff>>,
    pub(crate) jitter: Option<Sourced<Jitter>>,
}

impl Settings {
    /// These settings, and `lower` where one is unset.
    pub(crate) fn or(self, mut lower: Self) -> Self {
        let mut queues = self.queues;
        for (name, queue) in std::mem::take(&mut lower.queues) {
            let upper = queues.remove(&name).unwrap_or_default();
            queues.insert(name, upper.or(queue));
        }
        Self {
            broker_url: self.broker_url.or(lower.broker_url),
            management_url: self.management_url.or(lower.management_url),
            locks_url: self.locks_url.or(lower.locks_url),
            publish_timeout: self.publish_timeout.or(lower.publish_timeout),
            max_message_bytes: self.max_message_bytes.or(lower.max_message_bytes),
            shutdown_timeout: self.shutdown_timeout.or(lower.shutdown_timeout),
            log_format: self.log_format.or(lower.log_format),
            metrics_addr: self.metrics_addr.or(lower.metrics_addr),
            only_queues: self.only_queues.or(lower.only_queues),
            concurrency: self.concurrency.or(lower.concurrency),
            prefetch: self.prefetch.or(lower.prefetch),
            queues,
        }
    }

    /// Where leases are kept when nobody says: in the broker's file, where the broker is one.
    pub(crate) fn default_locks_url(&self) -> Option<SecretUrls> {
        let broker = self.broker_url.as_ref().map_or(Broker::DEFAULT_URL, |url| url.value.reveal());
        // What stands behind the path is the broker's business.
        let file = broker.split('?').next().filter(|url| url.starts_with("sqlite:"))?;
        Some(SecretUrls::new(file))
    }
}

impl QueueSettings {
    fn or(self, lower: Self) -> Self {
        Self {
            kind: self.kind.or(lower.kind),
            priorities: self.priorities.or(lower.priorities),
            shared_with_celery: self.shared_with_celery.or(lower.shared_with_celery),
            concurrency: self.concurrency.or(lower.concurrency),
            prefetch: self.prefetch.or(lower.prefetch),
            soft_time_limit: self.soft_time_limit.or(lower.soft_time_limit),
            time_limit: self.time_limit.or(lower.time_limit),
            deadline: self.deadline.or(lower.deadline),
            expires: self.expires.or(lower.expires),
            priority: self.priority.or(lower.priority),
            max_attempts: self.max_attempts.or(lower.max_attempts),
            backoff: self.backoff.or(lower.backoff),
            jitter: self.jitter.or(lower.jitter),
        }
    }

    /// The queue as it is to be declared, or `None` where nothing is said about that.
    pub(crate) fn queue(&self, name: &str) -> Result<Option<Queue>, Error> {
        let on = |setting: &Option<Sourced<bool>>| setting.as_ref().is_some_and(|setting| setting.value);
        if self.kind.is_none() && self.priorities.is_none() && self.shared_with_celery.is_none() {
            return Ok(None);
        }
        let fault = |fault: celeriac_broker::Error| Error::Usage(fault.to_string());
        let shared = on(&self.shared_with_celery);
        let mut queue = if shared { Queue::shared_with_celery(name) } else { Queue::new(name) }.map_err(fault)?;
        if self.kind.as_ref().is_some_and(|kind| kind.value == QueueKind::Classic) {
            queue = queue.classic();
        }
        if on(&self.priorities) {
            queue = queue.with_priorities();
        }
        Ok(Some(queue))
    }

    /// The defaults for this queue's tasks.
    pub(crate) fn options(&self) -> TaskOptions {
        let mut options = TaskOptions::new();
        options.retry = self.retry();
        options.soft_time_limit = value(self.soft_time_limit.as_ref());
        options.time_limit = value(self.time_limit.as_ref());
        options.deadline = value(self.deadline.as_ref());
        options.expires = value(self.expires.as_ref());
        options.priority = value(self.priority.as_ref());
        options
    }

    fn retry(&self) -> Option<RetryPolicy> {
        let mut policy = RetryPolicy::DEFAULT;
        if self.max_attempts.is_none() && self.backoff.is_none() && self.jitter.is_none() {
            return None;
        }
        policy.max_attempts = value(self.max_attempts.as_ref()).unwrap_or(policy.max_attempts);
        policy.backoff = value(self.backoff.as_ref()).unwrap_or(policy.backoff);
        policy.jitter = value(self.jitter.as_ref()).unwrap_or(policy.jitter);
        Some(policy)
    }
}

fn value<T: Copy>(setting: Option<&Sourced<T>>) -> Option<T> {
    setting.map(|setting| setting.value)
}

/// What a user's program has set in its code.
pub(crate) fn of_code(described: &Described) -> Settings {
    #[allow(clippy::unnecessary_wraps, reason = "every setting is one that may be unset")]
    fn code<T>(value: T) -> Option<Sourced<T>> {
        Some(Sourced { value, origin: Origin::Code })
    }
    let mut queues: BTreeMap<String, QueueSettings> = BTreeMap::new();
    for queue in &described.queues {
        let settings = queues.entry(queue.name.as_str().to_owned()).or_default();
        settings.kind = code(queue.kind);
        settings.priorities = code(queue.priorities);
        settings.shared_with_celery = code(queue.shared_with_celery);
    }
    for pool in &described.pools {
        for queue in &pool.queues {
            let settings = queues.entry(queue.clone()).or_default();
            settings.concurrency = code(pool.concurrency);
            settings.prefetch = pool.prefetch.and_then(code);
        }
    }
    for (queue, options) in &described.queue_defaults {
        let settings = queues.entry(queue.clone()).or_default();
        settings.soft_time_limit = options.soft_time_limit.and_then(code);
        settings.time_limit = options.time_limit.and_then(code);
        settings.deadline = options.deadline.and_then(code);
        settings.expires = options.expires.and_then(code);
        settings.priority = options.priority.and_then(code);
        settings.max_attempts = options.retry.and_then(|retry| code(retry.max_attempts));
        settings.backoff = options.retry.and_then(|retry| code(retry.backoff));
        settings.jitter = options.retry.and_then(|retry| code(retry.jitter));
    }
    let broker_url = described.broker.as_ref().map(|broker| broker.address().to_owned());
    // Locks that are handed over have an address that nobody told: shown as what is masked, and never used as one.
    let handed_over = described.locks.as_ref().map(|_| "?".to_owned());
    let locks_url = handed_over.or_else(|| described.locks_url.clone());
    let timeout = described.shutdown_timeout;
    Settings {
        broker_url: broker_url.or_else(|| described.broker_url.clone()).and_then(|url| code(SecretUrls::new(url))),
        locks_url: locks_url.and_then(|url| code(SecretUrls::new(url))),
        shutdown_timeout: Some(timeout)
            .filter(|timeout| *timeout != Worker::<()>::DEFAULT_SHUTDOWN_TIMEOUT)
            .and_then(code),
        metrics_addr: described.metrics_addr.clone().and_then(code),
        queues,
        ..Settings::default()
    }
}
