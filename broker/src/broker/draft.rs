use std::{
    marker::PhantomData,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::Broker;
use crate::{
    Error, HeaderValue, Headers, Message, Properties, QueueName, Request, Task, TaskId, TaskOptions,
    message::{names, python},
    transport::{Destination, MAX_PRIORITY},
};

/// A task about to be published, with options of its own.
///
/// ```no_run
/// # use celeriac_broker::{Broker, Error, Task};
/// # use std::time::Duration;
/// # async fn example<T: Task>(broker: Broker, task: T) -> Result<(), Error> {
/// broker.message(task).delay(Duration::from_secs(60)).priority(7).publish().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "nothing is sent before `publish`"]
pub struct Draft<T> {
    broker: Broker,
    task: T,
    id: Option<TaskId>,
    queue: Option<String>,
    when: When,
    expires: Option<Expiry>,
    priority: Option<u8>,
    headers: Vec<(String, HeaderValue)>,
    tags: Vec<String>,
    root_id: Option<TaskId>,
    parent_id: Option<TaskId>,
}

#[derive(Debug, Clone, Copy)]
enum When {
    Delay(Duration),
    Eta(SystemTime),
}

#[derive(Debug, Clone, Copy)]
enum Expiry {
    After(Duration),
    At(SystemTime),
}

/// A task that the broker has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent<T> {
    /// Its id.
    pub id: TaskId,
    /// The queue it waits in.
    pub queue: QueueName,
    task: PhantomData<fn() -> T>,
}

impl<T: Task> Draft<T> {
    pub(super) fn new(broker: Broker, task: T) -> Self {
        Self {
            broker,
            task,
            id: None,
            queue: None,
            when: When::Delay(Duration::ZERO),
            expires: None,
            priority: None,
            headers: Vec::new(),
            tags: Vec::new(),
            root_id: None,
            parent_id: None,
        }
    }

    /// Waits at the broker for `delay` first, at most 300 days; never delivered earlier.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.when = When::Delay(delay);
        self
    }

    /// Waits at the broker until `instant` by this machine's clock; an instant in the past is now.
    pub fn eta(mut self, instant: SystemTime) -> Self {
        self.when = When::Eta(instant);
        self
    }

    /// Is not run once it is older than `age`; counted from publishing, delay included.
    pub fn expires(mut self, age: Duration) -> Self {
        self.expires = Some(Expiry::After(age));
        self
    }

    /// Is not run after `instant`.
    pub fn expires_at(mut self, instant: SystemTime) -> Self {
        self.expires = Some(Expiry::At(instant));
        self
    }

    /// 0 (lowest, the default) to 9. It matters on queues [with priorities](crate::Queue::with_priorities), and on SQLite.
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Goes to another queue than the task's own.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = Some(queue.into());
        self
    }

    /// Takes an id of the caller's. Publishing again with the same id makes a duplicate visible; it does not prevent it.
    pub fn id(mut self, id: impl Into<TaskId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Adds a header; it stays over retries and dead letters, and Python workers see it in `request.headers`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a free text by which people find the task.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Makes it a child of the running task `parent`: root and parent ids are kept.
    pub fn child_of(mut self, parent: &Request) -> Self {
        self.root_id = Some(parent.root_id.clone());
        self.parent_id = Some(parent.id.clone());
        self
    }

    pub(super) fn spread(mut self, offset: Duration) -> Self {
        self.when = match self.when {
            When::Delay(delay) => When::Delay(delay.saturating_add(offset)),
            When::Eta(instant) => instant.checked_add(offset).map_or(self.when, When::Eta),
        };
        self
    }

    /// Publishes. `Ok` means that the broker has it, on disk; it never takes longer than the publish timeout.
    ///
    /// # Errors
    /// Before anything is sent: [`Error::Encode`], [`Error::TooLarge`], [`Error::DelayTooLong`],
    /// [`Error::InvalidPriority`], [`Error::InvalidQueueName`], [`Error::ReservedHeader`].
    /// From the broker: [`Error::Unreachable`], [`Error::Refused`], [`Error::Blocked`], [`Error::Unroutable`],
    /// [`Error::Nacked`], [`Error::Store`], and [`Error::Unconfirmed`], after which it may be there or not.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have published.
    #[tracing::instrument(name = "celeriac.publish", level = "debug", skip_all, fields(task = T::NAME))]
    pub async fn publish(self) -> Result<Sent<T>, Error> {
        let broker = self.broker.clone();
        let (to, message) = self.build()?;
        let sent = Sent { id: message.id(), queue: to.queue.name.clone(), task: PhantomData };
        broker.publish_message(to, message).await?;
        Ok(sent)
    }

    /// The message and where it would go, without publishing it.
    ///
    /// # Errors
    /// What [`publish`](Self::publish) returns before anything is sent.
    pub fn build(self) -> Result<(Destination, Message), Error> {
        let options = T::options();
        let now = self.broker.clock().now();
        let queue = self.broker.queue(self.queue.as_deref().or(options.queue).unwrap_or(TaskOptions::DEFAULT_QUEUE))?;
        let delay = match self.when {
            When::Delay(delay) => delay,
            When::Eta(instant) => instant.duration_since(now).unwrap_or_default(),
        };
        if delay > crate::transport::MAX_DELAY {
            return Err(Error::DelayTooLong { asked: delay, max: crate::transport::MAX_DELAY });
        }
        let priority = self.priority.or(options.priority).unwrap_or(0);
        if priority > MAX_PRIORITY {
            return Err(Error::InvalidPriority { asked: priority });
        }
        let expires = match self.expires.or(options.expires.map(Expiry::After)) {
            Some(Expiry::After(age)) => now.checked_add(age),
            Some(Expiry::At(instant)) => Some(instant),
            None => None,
        };
        let encode =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Encode { task: T::NAME.to_owned(), source };
        let arguments = match serde_json::to_value(&self.task).map_err(|fault| encode(fault.into()))? {
            Value::Object(arguments) => arguments,
            Value::Null => serde_json::Map::new(),
            _ => return Err(encode("it is not a struct with named fields".into())),
        };
        let id = self.id.unwrap_or_default();
        let eta = (!delay.is_zero()).then(|| now + delay);

        let mut headers = Headers::with_capacity(24 + self.headers.len());
        headers.push(names::LANG, "rust");
        headers.push(names::TASK, T::NAME);
        headers.push(names::ID, id.as_str().to_owned());
        headers.push(names::SHADOW, HeaderValue::Null);
        headers.push(names::ETA, eta.map(crate::message::iso8601));
        headers.push(names::EXPIRES, expires.map(crate::message::iso8601));
        headers.push(names::GROUP, HeaderValue::Null);
        headers.push(names::GROUP_INDEX, HeaderValue::Null);
        headers.push(names::RETRIES, 0_i64);
        headers.push(
            names::TIMELIMIT,
            HeaderValue::List(vec![
                options.time_limit.map(|limit| limit.as_secs_f64()).into(),
                options.soft_time_limit.map(|limit| limit.as_secs_f64()).into(),
            ]),
        );
        headers.push(names::ROOT_ID, self.root_id.as_ref().unwrap_or(&id).as_str().to_owned());
        headers.push(names::PARENT_ID, self.parent_id.map(String::from));
        headers.push(names::ARGSREPR, "()");
        headers.push(names::KWARGSREPR, python::kwargs_repr(&arguments, T::ARGS));
        headers.push(names::ORIGIN, self.broker.origin().to_owned());
        headers.push(names::IGNORE_RESULT, false);
        headers.push(names::REPLACED_TASK_NESTING, 0_i64);
        headers.push(names::STAMPED_HEADERS, HeaderValue::Null);
        headers.push(names::STAMPS, HeaderValue::Table(Vec::new()));
        headers.set_instant(names::PUBLISHED_AT, now);
        headers.set_instant(names::READY_AT, now + delay);
        if let Some(deadline) = options.deadline.and_then(|total| now.checked_add(total)) {
            headers.set_instant(names::DEADLINE, deadline);
        }
        if !self.tags.is_empty() {
            headers.push(names::TAGS, HeaderValue::List(self.tags.into_iter().map(Into::into).collect()));
        }
        for (name, value) in self.headers {
            if name.starts_with(names::RESERVED_PREFIX) || headers.get(&name).is_some() {
                return Err(Error::ReservedHeader { name });
            }
            headers.set(name, value);
        }

        let properties = Properties {
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            priority: Some(priority),
            correlation_id: Some(id.into()),
            reply_to: Some(String::new()),
            expiration: None,
        };
        let embed = json!({"callbacks": null, "errbacks": null, "chain": null, "chord": null});
        let body = serde_json::to_vec(&([(); 0], arguments, embed)).map_err(|fault| encode(fault.into()))?;
        Ok((Destination::after(queue, delay), Message::new(properties, headers, body)))
    }
}
