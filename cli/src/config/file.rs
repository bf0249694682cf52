use std::{ops::Range, path::Path};

use celeriac_broker::{RetryPolicy, transport::MAX_PRIORITY};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Origin, QueueSettings, SecretUrls, Settings, Sourced, parse, suggest};
use crate::Error;

const KEYS: [&str; 9] = [
    "broker_url",
    "management_url",
    "locks_url",
    "publish_timeout",
    "max_message_bytes",
    "shutdown_timeout",
    "log_format",
    "metrics_addr",
    "queues",
];

const QUEUE_KEYS: [&str; 11] = [
    "kind",
    "priorities",
    "shared_with_celery",
    "concurrency",
    "prefetch",
    "soft_time_limit",
    "time_limit",
    "deadline",
    "expires",
    "priority",
    "retry",
];

const RETRY_KEYS: [&str; 3] = ["max_attempts", "backoff", "jitter"];

type Key<'t> = Spanned<std::borrow::Cow<'t, str>>;
type Value<'t> = Spanned<DeValue<'t>>;

/// Reads the text of a `celeriac.toml`; `path` is where faults are said to be.
pub(crate) fn read(path: &Path, text: &str) -> Result<Settings, Error> {
    let file = File { path, text };
    let table = DeTable::parse(text)
        .map_err(|fault| file.fault(fault.span().unwrap_or_default(), &crate::text::one_line(fault.message())))?;
    let mut settings = Settings::default();
    for (key, value) in table.get_ref() {
        match &**key.get_ref() {
            "broker_url" => settings.broker_url = file.text(key, value, url)?,
            "management_url" => settings.management_url = file.text(key, value, url)?,
            "locks_url" => settings.locks_url = file.text(key, value, url)?,
            "publish_timeout" => settings.publish_timeout = file.text(key, value, parse::positive)?,
            "max_message_bytes" => settings.max_message_bytes = file.number(key, value, parse::number)?,
            "shutdown_timeout" => settings.shutdown_timeout = file.text(key, value, parse::duration)?,
            "log_format" => settings.log_format = file.text(key, value, crate::LogFormat::parse)?,
            "metrics_addr" => settings.metrics_addr = file.text(key, value, parse::address)?,
            "queues" => {
                for (name, queue) in file.table(key, value)? {
                    let read = file.queue(name, queue)?;
                    settings.queues.insert(name.get_ref().clone().into_owned(), read);
                }
            }
            _ => return Err(file.unknown(key, &KEYS)),
        }
    }
    Ok(settings)
}

#[allow(
    clippy::unnecessary_wraps,
    reason = "it has the shape of the other parsers; the address is checked when it is used"
)]
fn url(text: &str) -> Result<SecretUrls, String> {
    Ok(SecretUrls::new(text))
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn queue(&self, name: &Key<'_>, value: &Value<'_>) -> Result<QueueSettings, Error> {
        let mut queue = QueueSettings::default();
        for (key, value) in self.table(name, value)? {
            match &**key.get_ref() {
                "kind" => queue.kind = self.text(key, value, parse::kind)?,
                "priorities" => queue.priorities = Some(self.bool(key, value)?),
                "shared_with_celery" => queue.shared_with_celery = Some(self.bool(key, value)?),
                "concurrency" => queue.concurrency = self.number(key, value, parse::at_least_one)?,
                "prefetch" => queue.prefetch = self.number(key, value, parse::at_least_one)?,
                "soft_time_limit" => queue.soft_time_limit = self.text(key, value, parse::positive)?,
                "time_limit" => queue.time_limit = self.text(key, value, parse::positive)?,
                "deadline" => queue.deadline = self.text(key, value, parse::positive)?,
                "expires" => queue.expires = self.text(key, value, parse::positive)?,
                "priority" => queue.priority = self.number(key, value, priority)?,
                "retry" => self.retry(&mut queue, key, value)?,
                _ => return Err(self.unknown(key, &QUEUE_KEYS)),
            }
        }
        let fault = |fault: String| self.fault(name.span(), &fault);
        celeriac_broker::Queue::new(name.get_ref()).map_err(|error| fault(error.to_string()))?;
        if let (Some(soft), Some(hard)) = (&queue.soft_time_limit, &queue.time_limit)
            && soft.value >= hard.value
        {
            return Err(fault("soft_time_limit must be below time_limit, or it is never noticed".into()));
        }
        if let Some(policy) = queue.options().retry {
            RetryPolicy::new(policy.max_attempts, policy.backoff, policy.jitter)
                .map_err(|error| fault(error.to_string()))?;
        }
        Ok(queue)
    }

    fn retry(&self, queue: &mut QueueSettings, key: &Key<'_>, value: &Value<'_>) -> Result<(), Error> {
        for (key, value) in self.table(key, value)? {
            match &**key.get_ref() {
                "max_attempts" => queue.max_attempts = self.number(key, value, parse::number)?,
                "backoff" => queue.backoff = self.text(key, value, parse::backoff)?,
                "jitter" => queue.jitter = self.text(key, value, parse::jitter)?,
                _ => return Err(self.unknown(key, &RETRY_KEYS)),
            }
        }
        Ok(())
    }

    fn table<'v, 't>(&self, key: &Key<'_>, value: &'v Value<'t>) -> Result<&'v DeTable<'t>, Error> {
        value.get_ref().as_table().ok_or_else(|| self.expected(key, value, "a table"))
    }

    fn text<T>(
        &self,
        key: &Key<'_>,
        value: &Value<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<Sourced<T>>, Error> {
        let text = value.get_ref().as_str().ok_or_else(|| self.expected(key, value, "text"))?;
        self.parsed(key, text, parse)
    }

    fn number<T>(
        &self,
        key: &Key<'_>,
        value: &Value<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<Sourced<T>>, Error> {
        let number = value.get_ref().as_integer().ok_or_else(|| self.expected(key, value, "a whole number"))?;
        self.parsed(key, number.as_str(), parse)
    }

    fn parsed<T>(
        &self,
        key: &Key<'_>,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<Sourced<T>>, Error> {
        let value = parse(text).map_err(|fault| self.fault(key.span(), &format!("{}: {fault}", key.get_ref())))?;
        Ok(Some(Sourced { value, origin: self.origin(key.span()) }))
    }

    fn bool(&self, key: &Key<'_>, value: &Value<'_>) -> Result<Sourced<bool>, Error> {
        let value = value.get_ref().as_bool().ok_or_else(|| self.expected(key, value, "true or false"))?;
        Ok(Sourced { value, origin: self.origin(key.span()) })
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        Origin::File { path: self.path.to_owned(), line: self.line(span) }
    }

    fn expected(&self, key: &Key<'_>, value: &Value<'_>, what: &str) -> Error {
        let fault = format!("{} must be {what}, not {}", key.get_ref(), value.get_ref().type_str());
        self.fault(key.span(), &fault)
    }

    fn unknown(&self, key: &Key<'_>, known: &[&str]) -> Error {
        let name = key.get_ref();
        self.fault(key.span(), &format!("there is no setting {name:?}; {}", suggest::among(name, known)))
    }

    fn fault(&self, span: Range<usize>, fault: &str) -> Error {
        Error::Usage(format!("{}:{}: {fault}", self.path.display(), self.line(span)))
    }

    fn line(&self, span: Range<usize>) -> usize {
        self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count() + 1
    }
}

fn priority(text: &str) -> Result<u8, String> {
    let priority = parse::number(text)?;
    if priority > MAX_PRIORITY { Err(format!("{priority} is out of range: 0 (lowest) to 9")) } else { Ok(priority) }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
