use std::{
    fmt,
    marker::PhantomData,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use tracing::{Instrument as _, field};

use super::{Broker, call::Call};
use crate::{
    Error, HeaderValue, Headers, Message, Properties, QueueName, Request, Task, TaskId, TaskOptions,
    message::{MAX_TABLE_BYTES, Tags, TraceContext, iso8601, names, truncated},
    transport::{Destination, MAX_DELAY, MAX_PRIORITY},
};

/// The longest id and the longest header name, in bytes: AMQP's short strings.
const MAX_SHORT_STRING: usize = 255;

/// A task about to be published, with options of its own.
///
/// ```no_run
/// # use celeriac_broker::{Broker, Error, Task};
/// # use std::time::Duration;
/// # async fn example<T: Task>(broker: Broker, task: T) -> Result<(), Error> {
/// broker.message(task).delay(Duration::from_secs(60)).priority(7).publish().await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is sent before `publish`"]
pub struct Draft<T> {
    broker: Broker,
    call: Result<Call, Error>,
    id: Option<TaskId>,
    queue: Option<String>,
    when: When,
    expires: Option<Expiry>,
    priority: Option<u8>,
    headers: Vec<(String, HeaderValue)>,
    tags: Vec<String>,
    root_id: Option<TaskId>,
    parent_id: Option<TaskId>,
    fences: Vec<(String, HeaderValue)>,
    trace: Option<TraceContext>,
    task: PhantomData<fn() -> T>,
}

/// A task that is known by its name alone: [`Broker::task_named`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Untyped {}

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
    pub(super) fn new(broker: Broker, task: &T) -> Self {
        let mut draft = Self::of(broker, Call::typed(task));
        draft.tags = task.tags().into_iter().map(|(key, value)| tag(key, &value)).collect();
        draft
    }
}

impl Draft<Untyped> {
    pub(super) fn named(broker: Broker, name: String, args: &impl Serialize, kwargs: &impl Serialize) -> Self {
        Self::of(broker, Call::untyped(name, args, kwargs))
    }
}

impl<T> Draft<T> {
    fn of(broker: Broker, call: Result<Call, Error>) -> Self {
        Self {
            broker,
            call,
            id: None,
            queue: None,
            when: When::Delay(Duration::ZERO),
            expires: None,
            priority: None,
            headers: Vec::new(),
            tags: Vec::new(),
            root_id: None,
            parent_id: None,
            fences: Vec::new(),
            trace: None,
            task: PhantomData,
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

    /// Takes an id of the caller's, 1 to 255 bytes. Publishing again with the same id makes a duplicate visible; it does not prevent it.
    pub fn id(mut self, id: impl Into<TaskId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Adds a header; it stays over retries and dead letters, and Python workers see it in `request.headers`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a text by which people find the task: `"company=eu-7"`, or a word alone. Every line that its runs log has it; see
    /// [`Tags`](crate::message::Tags) for what is kept of a long one there.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Makes it a child of the running task `parent`: root and parent ids are kept, and the trace where none is active here.
    pub fn child_of(mut self, parent: &Request) -> Self {
        self.root_id = Some(parent.root_id.clone());
        self.parent_id = Some(parent.id.clone());
        self.trace.clone_from(&parent.trace);
        self
    }

    /// Adds the fencing tokens of leases that the publisher holds, by the addresses of their locks: what the task writes can carry
    /// them on. A worker's context adds those of the running task.
    pub fn fences(mut self, tokens: impl IntoIterator<Item = (String, u64)>) -> Self {
        let tokens =
            tokens.into_iter().map(|(lock, token)| (lock, HeaderValue::Int(token.try_into().unwrap_or(i64::MAX))));
        self.fences.extend(tokens);
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
    /// [`Error::InvalidPriority`], [`Error::InvalidQueueName`], [`Error::ReservedHeader`], and [`Error::Config`] for an
    /// id, a name or headers that do not fit a message.
    /// From the broker: [`Error::Unreachable`], [`Error::Refused`], [`Error::Blocked`], [`Error::Unroutable`],
    /// [`Error::Nacked`], [`Error::Store`], and [`Error::Unconfirmed`], after which it may be there or not.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have published.
    pub async fn publish(self) -> Result<Sent<T>, Error> {
        // By hand: the attribute would keep a second draft in the future, of which there are many at once.
        let span = tracing::debug_span!(
            "celeriac.publish",
            otel.kind = TraceContext::kind("producer"),
            task = self.name(),
            task_id = field::Empty,
            queue = field::Empty
        );
        let broker = self.broker.clone();
        let (to, message) = span.in_scope(|| self.build())?;
        if !span.is_disabled() {
            span.record("task_id", message.headers.text(names::ID)).record("queue", to.queue.name.as_str());
        }
        let sent = Sent { id: message.id(), queue: to.queue.name.clone(), task: PhantomData };
        broker.publish_message(to, message).instrument(span).await?;
        Ok(sent)
    }

    fn name(&self) -> &str {
        self.call.as_ref().map_or("", |call| &call.task)
    }

    /// The message and where it would go, without publishing it.
    ///
    /// # Errors
    /// What [`publish`](Self::publish) returns before anything is sent.
    pub fn build(self) -> Result<(Destination, Message), Error> {
        let call = self.call?;
        let options = call.options;
        let now = self.broker.clock().now();
        let queue = self.broker.queue(self.queue.as_deref().or(options.queue).unwrap_or(TaskOptions::DEFAULT_QUEUE))?;
        let delay = match self.when {
            When::Delay(delay) => delay,
            When::Eta(instant) => instant.duration_since(now).unwrap_or_default(),
        };
        if delay > MAX_DELAY {
            return Err(Error::DelayTooLong { asked: delay, max: MAX_DELAY });
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
        let id = self.id.unwrap_or_default();
        check_short("task id", id.as_str())?;
        check_short("task name", &call.task)?;
        let ready_at = now + delay;

        let mut headers = Headers::with_capacity(24 + self.headers.len());
        headers.push(names::LANG, "rust");
        headers.push(names::TASK, HeaderValue::Text(call.task));
        headers.push(names::ID, id.as_str().to_owned());
        headers.push(names::SHADOW, HeaderValue::Null);
        headers.push(names::ETA, (!delay.is_zero()).then(|| iso8601(ready_at)));
        headers.push(names::EXPIRES, expires.map(iso8601));
        headers.push(names::GROUP, HeaderValue::Null);
        headers.push(names::GROUP_INDEX, HeaderValue::Null);
        headers.push(names::RETRIES, 0_i64);
        let limits = vec![seconds(options.time_limit), seconds(options.soft_time_limit)];
        headers.push(names::TIMELIMIT, HeaderValue::List(limits));
        headers.push(names::ROOT_ID, self.root_id.as_ref().unwrap_or(&id).as_str().to_owned());
        headers.push(names::PARENT_ID, self.parent_id.map(String::from));
        headers.push(names::ARGSREPR, HeaderValue::Text(call.args_repr));
        headers.push(names::KWARGSREPR, call.kwargs_repr);
        headers.push(names::ORIGIN, self.broker.origin().to_owned());
        headers.push(names::IGNORE_RESULT, false);
        headers.push(names::REPLACED_TASK_NESTING, 0_i64);
        headers.push(names::STAMPED_HEADERS, HeaderValue::Null);
        headers.push(names::STAMPS, HeaderValue::Table(Vec::new()));
        headers.push_instant(names::PUBLISHED_AT, now);
        headers.push_instant(names::READY_AT, ready_at);
        if let Some(deadline) = options.deadline.and_then(|total| now.checked_add(total)) {
            headers.push_instant(names::DEADLINE, deadline);
        }
        if !self.tags.is_empty() {
            headers.push(names::TAGS, HeaderValue::List(self.tags.into_iter().map(Into::into).collect()));
        }
        if !self.fences.is_empty() {
            headers.push(names::FENCES, HeaderValue::Table(self.fences));
        }
        let traced = self.headers.iter().any(|(name, _)| name == names::TRACEPARENT);
        if let Some(trace) = if traced { None } else { TraceContext::active().or(self.trace) } {
            trace.write(&mut headers);
        }
        add_headers(&mut headers, self.headers)?;

        let properties = Properties {
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            priority: Some(priority),
            correlation_id: Some(id.into()),
            reply_to: Some(String::new()),
            expiration: None,
        };
        Ok((Destination::after(queue, delay), Message::new(properties, headers, call.body)))
    }
}

/// Celery writes whole seconds as integers.
fn seconds(limit: Option<Duration>) -> HeaderValue {
    match limit {
        None => HeaderValue::Null,
        Some(limit) if limit.subsec_nanos() == 0 => {
            HeaderValue::Int(i64::try_from(limit.as_secs()).unwrap_or(i64::MAX))
        }
        Some(limit) => HeaderValue::Float(limit.as_secs_f64()),
    }
}

/// One text of a tag that has a value.
fn tag(key: &str, value: &str) -> String {
    format!("{key}={}", truncated(value, Tags::MAX_VALUE_LEN))
}

fn check_short(setting: &str, text: &str) -> Result<(), Error> {
    let fault = match text.len() {
        0 => "it is empty".to_owned(),
        1..=MAX_SHORT_STRING => return Ok(()),
        length => format!("it has {length} bytes, and a message has room for {MAX_SHORT_STRING}"),
    };
    Err(Error::Config { setting: setting.to_owned(), fault })
}

/// Adds the caller's headers, none of which may be one of ours or the protocol's.
fn add_headers(headers: &mut Headers, own: Vec<(String, HeaderValue)>) -> Result<(), Error> {
    for (name, value) in own {
        if name.starts_with(names::RESERVED_PREFIX) || name == names::COMPRESSION || headers.get(&name).is_some() {
            return Err(Error::ReservedHeader { name });
        }
        check_short("header name", &name)?;
        headers.set(name, value);
    }
    let size = headers.wire_size();
    if size > MAX_TABLE_BYTES {
        let fault = format!("they take {size} bytes with the tags, and a message has room for {MAX_TABLE_BYTES}");
        return Err(Error::Config { setting: "headers".into(), fault });
    }
    Ok(())
}

impl<T> fmt::Debug for Draft<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("task", &self.name())
            .field("id", &self.id)
            .field("queue", &self.queue)
            .field("when", &self.when)
            .finish_non_exhaustive()
    }
}
