use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::HeaderValue;

/// The names of headers: Celery's, and ours under `celeriac-`.
///
/// Instants of ours are integers, milliseconds since 1970; durations are milliseconds.
pub mod names {
    #[cfg(feature = "amqp")]
    use std::borrow::Cow;

    /// The language of the producer.
    pub const LANG: &str = "lang";
    /// The task's name; its presence is what makes a message protocol 2.
    pub const TASK: &str = "task";
    /// The task's id.
    pub const ID: &str = "id";
    /// A name shown in its stead.
    pub const SHADOW: &str = "shadow";
    /// Not before: ISO 8601.
    pub const ETA: &str = "eta";
    /// Not after: ISO 8601.
    pub const EXPIRES: &str = "expires";
    /// The group it is a part of.
    pub const GROUP: &str = "group";
    /// Its place in the group.
    pub const GROUP_INDEX: &str = "group_index";
    /// Attempts before this one.
    pub const RETRIES: &str = "retries";
    /// `[hard, soft]` in seconds.
    pub const TIMELIMIT: &str = "timelimit";
    /// The id of the task that began it all.
    pub const ROOT_ID: &str = "root_id";
    /// The id of the task that published it.
    pub const PARENT_ID: &str = "parent_id";
    /// The positional arguments as Python's `repr` shows them, cut at 1,024 characters; for people, never parsed.
    ///
    /// Listings and logs show this header and [`KWARGSREPR`], never the body: the producer, who knows which parameters
    /// are secret, has masked them here. Copies keep both as they came. (Celery's own producers mask nothing unless
    /// told to, by `argsrepr=` and `kwargsrepr=`.)
    pub const ARGSREPR: &str = "argsrepr";
    /// The keyword arguments, in the same way. Ours are all keyword arguments.
    pub const KWARGSREPR: &str = "kwargsrepr";
    /// Who published it.
    pub const ORIGIN: &str = "origin";
    /// Whether no result is wanted.
    pub const IGNORE_RESULT: &str = "ignore_result";
    /// How often it was replaced.
    pub const REPLACED_TASK_NESTING: &str = "replaced_task_nesting";
    /// The names of its stamps.
    pub const STAMPED_HEADERS: &str = "stamped_headers";
    /// Its stamps.
    pub const STAMPS: &str = "stamps";
    /// How the body is compressed.
    pub const COMPRESSION: &str = "compression";

    /// Which trace it belongs to, and the span that published it: W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// What vendors add to that.
    pub const TRACESTATE: &str = "tracestate";

    /// What all of ours begin with; reserved.
    pub const RESERVED_PREFIX: &str = "celeriac-";
    /// When it was first published.
    pub const PUBLISHED_AT: &str = "celeriac-published-at";
    /// When it was due: published, plus every deliberate delay since.
    pub const READY_AT: &str = "celeriac-ready-at";
    /// When its total time is over.
    pub const DEADLINE: &str = "celeriac-deadline";
    /// Deliveries of earlier copies of this attempt that ended with their worker's death.
    pub const DELIVERIES: &str = "celeriac-deliveries";
    /// How often it was given back without an attempt being counted.
    pub const DEFERRALS: &str = "celeriac-deferrals";
    /// The delay before this attempt.
    pub const PREVIOUS_DELAY: &str = "celeriac-previous-delay";
    /// Places in the lines of busy locks: a table from a lock's address to the ticket that takes the place over, once.
    pub const PLACES: &str = "celeriac-places";
    /// Turns that rate limits have reserved for this attempt, and that are paid for: a table from a limit's address to an instant.
    pub const TURNS: &str = "celeriac-turns";
    /// The fencing tokens of the leases under which its parent published it: a table from a lock's address to a number.
    pub const FENCES: &str = "celeriac-fences";
    /// Texts by which people find tasks: `key=value`, or a word alone.
    pub const TAGS: &str = "celeriac-tags";
    /// Why it is a dead letter: a member of `Reason`.
    pub const DEAD_REASON: &str = "celeriac-dead-reason";
    /// The error behind it, cut to fit.
    pub const DEAD_ERROR: &str = "celeriac-dead-error";
    /// When it became one.
    pub const DEAD_AT: &str = "celeriac-dead-at";
    /// The queue it came from.
    pub const DEAD_QUEUE: &str = "celeriac-dead-queue";
    /// The names of foreign headers that had to go, because with them a copy did not fit a frame.
    pub const DROPPED: &str = "celeriac-dropped";

    /// The name, without a copy of it where it is one that every message has.
    #[cfg(feature = "amqp")]
    pub(crate) fn interned(name: &str) -> Cow<'static, str> {
        const COMMON: [&str; 23] = [
            ARGSREPR,
            ETA,
            EXPIRES,
            GROUP,
            GROUP_INDEX,
            ID,
            IGNORE_RESULT,
            KWARGSREPR,
            LANG,
            ORIGIN,
            PARENT_ID,
            PUBLISHED_AT,
            READY_AT,
            REPLACED_TASK_NESTING,
            RETRIES,
            ROOT_ID,
            SHADOW,
            STAMPED_HEADERS,
            STAMPS,
            TASK,
            TIMELIMIT,
            TRACEPARENT,
            TRACESTATE,
        ];
        COMMON.iter().find(|common| **common == name).map_or_else(|| Cow::Owned(name.to_owned()), |name| (*name).into())
    }
}

/// A header table, in its order.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Headers(Vec<(Cow<'static, str>, HeaderValue)>);

impl Headers {
    /// An empty table with room for `capacity` headers.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// The value of `name`, where it is present.
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of `name`, where it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    /// The value of `name`, where it is an integer of any width.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_int()
    }

    /// The value of one of our instants.
    pub fn instant(&self, name: &str) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(self.int(name)?).ok()?))
    }

    /// The value of one of our durations.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        Some(Duration::from_millis(u64::try_from(self.int(name)?).ok()?))
    }

    /// Sets `name`, in its old place where it had one.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<HeaderValue>) {
        let (name, value) = (name.into(), value.into());
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// The entries of `name`, where it is a table.
    pub fn table(&self, name: &str) -> &[(String, HeaderValue)] {
        match self.get(name) {
            Some(HeaderValue::Table(entries)) => entries,
            _ => &[],
        }
    }

    /// Sets one of our instants.
    pub fn set_instant(&mut self, name: &'static str, instant: SystemTime) {
        self.set_duration(name, instant.duration_since(UNIX_EPOCH).unwrap_or_default());
    }

    /// Sets one of our durations.
    pub fn set_duration(&mut self, name: &'static str, duration: Duration) {
        self.set(name, millis(duration));
    }

    /// Appends a header that is known not to be there yet.
    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<HeaderValue>) {
        self.0.push((Cow::Borrowed(name), value.into()));
    }

    /// Appends one of our instants, known not to be there yet.
    pub(crate) fn push_instant(&mut self, name: &'static str, instant: SystemTime) {
        self.push(name, millis(instant.duration_since(UNIX_EPOCH).unwrap_or_default()));
    }

    /// Removes `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| key != name);
    }

    /// Keeps the headers whose name `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(key, _)| keep(key));
    }

    /// How many bytes the table takes on the wire.
    pub(crate) fn wire_size(&self) -> usize {
        4 + self.0.iter().map(|(name, value)| 1 + name.len() + value.wire_size()).sum::<usize>()
    }

    /// Every header, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }
}

impl FromIterator<(Cow<'static, str>, HeaderValue)> for Headers {
    fn from_iter<I: IntoIterator<Item = (Cow<'static, str>, HeaderValue)>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl IntoIterator for Headers {
    type Item = (Cow<'static, str>, HeaderValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
